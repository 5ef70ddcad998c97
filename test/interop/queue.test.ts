import { expect, it } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { float } from '../helpers/wire.js'
import { expectClean, openCache, openFanout, openInPython, openShared, withPython } from './support.js'

const FIRST = 500_000_000_000_000
const PREFIXES = [undefined, 'jobs', '', 'a-b', 'a', '\u{1f600}', 'with\0nul', '12'] as const

const shared = () => openShared(openCache)

function queue(prefix: string | undefined): { prefix?: string } {
  return prefix === undefined ? {} : { prefix }
}

withPython('a queue that Node and Python share', () => {
  it.each(PREFIXES)('gives each key and value once, in order, with the prefix %j', async prefix => {
    const { cache, python } = await shared()
    const keys: unknown[] = []
    for (let index = 0; index < 10; index++) {
      if (index % 2) keys.push(await cache.push(`value ${index}`, queue(prefix)))
      else keys.push(await python.call(`cache.push('value %d' % i, prefix=prefix)`, { i: index, prefix }))
    }
    const expected = keys.map((_, index) => (prefix === undefined ? FIRST + index : `${prefix}-${FIRST + index}`))
    expect(keys).toEqual(expected)
    const pulled: unknown[] = []
    for (let index = 0; index < 10; index++) {
      if (index % 2) pulled.push(await python.call('cache.pull(prefix=prefix)', { prefix }))
      else {
        const item = await cache.pull(queue(prefix))
        pulled.push([item?.key, item?.value])
      }
    }
    expect(pulled).toEqual(expected.map((key, index) => [key, `value ${index}`]))
    expect(await cache.pull(queue(prefix))).toBe(undefined)
    expect(await python.call('cache.pull(prefix=prefix)', { prefix })).toEqual([null, null])
  })

  it('has two ends', async () => {
    const { cache, python } = await shared()
    await cache.push('middle')
    expect(await python.call(`cache.push('front', side='front')`)).toBe(FIRST - 1)
    expect(await cache.push('first', { side: 'front' })).toBe(FIRST - 2)
    expect(await python.call(`cache.push('last')`)).toBe(FIRST + 1)
    expect((await cache.peek())?.value).toBe('first')
    expect((await cache.peek({ side: 'back' }))?.value).toBe('last')
    expect(await python.call(`[cache.peek(), cache.peek(side='back')]`)).toEqual([
      [FIRST - 2, 'first'],
      [FIRST + 1, 'last'],
    ])
    expect((await cache.pull({ side: 'back' }))?.value).toBe('last')
    expect(await python.call(`cache.pull(side='back')`)).toEqual([FIRST, 'middle'])
    expect(await cache.count()).toBe(2)
  })

  it('is one of many that do not see each other', async () => {
    const { cache, python } = await shared()
    for (const prefix of PREFIXES) await cache.push(`node ${prefix}`, queue(prefix))
    for (const prefix of PREFIXES) {
      await python.call('cache.push(value, prefix=prefix)', { value: `python ${prefix}`, prefix })
    }
    for (const prefix of PREFIXES) {
      expect(await python.call('cache.pull(prefix=prefix)[1]', { prefix })).toBe(`node ${prefix}`)
      expect((await cache.pull(queue(prefix)))?.value).toBe(`python ${prefix}`)
    }
    expect(await cache.count()).toBe(0)
  })

  it('carries files, times to live and tags both ways', async () => {
    const { cache, python } = await shared()
    const bytes = Buffer.alloc(50_000, 3)
    await cache.push(bytes, { ttl: '1h', tag: 'node' })
    await python.call(`cache.push(value, expire=3600, tag='python')`, { value: bytes })
    const pulled = await python.call<[[number, Buffer], number, string]>('cache.pull(expire_time=True, tag=True)')
    expect([pulled[0][1], pulled[2]]).toEqual([bytes, 'node'])
    // Python's own peek of a file removes the file, ours must not.
    expect((await cache.peek())?.value).toEqual(bytes)
    await expectClean(cache, python)
    const item = await cache.pull()
    expect([item?.value, item?.tag]).toEqual([bytes, 'python'])
    expect(Math.abs((item?.expiresAt ?? 0) - pulled[1] * 1000)).toBeLessThan(60_000)
    await expectClean(cache, python)
  })

  it('passes what has expired, whoever pushed it', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const clock = new ManualClock()
    const cache = openCache(directory, { clock, cullLimit: 0 })
    await cache.open()
    await python.call('stop_clock(now)', { now: clock.now() / 1000 })
    await openInPython(python, directory)
    for (let index = 0; index < 3; index++) {
      await cache.push('x'.repeat(40_000), { ttl: 1_000 })
      await python.call(`cache.push('y', expire=1)`)
    }
    await cache.push('node')
    await python.call(`cache.push('python')`)
    clock.advance(1_001)
    await python.call('stop_clock(now)', { now: clock.now() / 1000 })
    expect(await python.call('cache.pull()')).toEqual([FIRST + 6, 'node'])
    await cache.push('expired', { side: 'front', ttl: 0 })
    clock.advance(1)
    expect((await cache.pull())?.value).toBe('python')
    expect(await cache.count()).toBe(0)
    await expectClean(cache, python)
  })

  it('begins where it should beside ordinary keys that Python stored', async () => {
    const { cache, python } = await shared()
    await python.call(
      `
      cache[1] = cache[999] = 'small'
      cache[whole] = cache[half] = 'float'
      cache['jobs-5abc'] = cache['jobs-500'] = cache['jobs-x'] = 'odd'
      `,
      { whole: float('600000000000000.0'), half: float('2.5') },
    )
    expect(await cache.pull()).toBe(undefined)
    expect(await cache.peek({ prefix: 'jobs' })).toBe(undefined)
    expect(await cache.push('one')).toBe(FIRST)
    expect(await cache.push('one', { prefix: 'jobs' })).toBe(`jobs-${FIRST}`)
    expect(await cache.count()).toBe(9)
    expect((await cache.pull())?.value).toBe('one')
    expect((await cache.pull({ prefix: 'jobs' }))?.value).toBe('one')
    expect(await cache.count()).toBe(7)
  })

  it('lets each peek at the item stored first and last', async () => {
    const { cache, python } = await shared()
    await cache.set('node', 1)
    await python.call(`cache.set('python', 2)`)
    expect(await python.call('[cache.peekitem(), cache.peekitem(last=False)]')).toEqual([
      ['python', 2],
      ['node', 1],
    ])
    expect((await cache.peekItem())?.key).toBe('python')
    expect((await cache.peekItem({ last: false }))?.key).toBe('node')
  })

  it('can lie in a cache of a FanoutCache', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const fanout = openFanout(directory)
    await fanout.cache('work/mail').push('node')
    await openInPython(python, directory, 'FanoutCache(directory, shards=8, timeout=60)')
    expect(await python.call(`cache.cache('work/mail').push('python')`)).toBe(FIRST + 1)
    expect(await python.call(`cache.cache('work/mail').pull()[1]`)).toBe('node')
    expect((await fanout.cache('work/mail').pull())?.value).toBe('python')
    await fanout.set('key', 1)
    await expectClean(fanout, python)
  })
})
