"""The Python side of share.mjs: plain diskcache, nothing of this package."""

import sys

from diskcache import FanoutCache

with FanoutCache(sys.argv[1], shards=8) as cache:
    print('Python reads:', cache['greeting'], cache[('point', 1, 2.5)], cache['nothing'])
    print('Python counts:', cache.incr('visits'))
    cache.set('answer', 'Hello from Python', expire=3600, tag='text')
    cache['pi'] = 3.14159
    print('Python finds fault with nothing:', cache.check())
