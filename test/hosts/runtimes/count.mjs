// Counts beside other processes on one directory. Arguments: JSON with `directory` and `times`.

import { FanoutCache } from 'fanout-cache'

const { directory, times } = JSON.parse(process.argv[2])
const cache = new FanoutCache(directory)
for (let at = 0; at < times; at++) {
  await cache.incr('count')
  await cache.set(`of ${process.pid}, ${at}`, { at, text: 'x'.repeat(at * 200) }, { retry: true })
}
await cache.close()
console.log('done')
