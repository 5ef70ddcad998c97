import { type Cache, FanoutCache, type Key, type QueueTransaction } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cacheSubject, withClock } from '../../contract/subjects.js'
import { collect } from '../../helpers/collect.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

const PREFIXES = [undefined, 'p', '', 'a-b', '~n', '~t~n', '~', 'p-500000000000000', 'ä']
const SIDES = ['back', 'front', 'front', 'back'] as const
const queue = (prefix: string | undefined) => (prefix === undefined ? {} : { prefix })

for (const codec of ['structured', 'json', 'pickle'] as const) {
  describe(`queues of a namespace of a Cache with the ${codec} codec`, () => {
    const make = (): Cache => cacheSubject(codec).make() as Cache

    it('are seen by peekItem(), in transactions as well', async () => {
      const part = make().namespace('part')
      await part.push('first')
      await part.push('last', { prefix: 'p' })
      const items = [await part.peekItem(), await part.transact(tx => tx.peekItem())]
      for (const item of items) expect(item).toMatchObject({ key: 'p-500000000000000', value: 'last' })
      expect(await part.peekItem({ last: false })).toMatchObject({ key: 500_000_000_000_000, value: 'first' })
    })

    it('are those of a Cache, and of the namespace alone, whatever they are called', async () => {
      const [host, alone] = [make(), make()]
      const all = [host.namespace('q'), host.namespace('q:1').namespace('inner')]
      for (const cache of [host, alone, ...all]) {
        await cache.setMany(['p', 1, -50_000_000_000_000, 'p-1'].map(key => [key, 'no item'] as const))
      }
      for (const prefix of PREFIXES) {
        for (const [at, side] of SIDES.entries()) {
          const options = { side, ...queue(prefix) }
          const key = await alone.push(at, options)
          for (const each of all) expect(await each.push(at, options)).toEqual(key)
        }
      }
      for (const prefix of PREFIXES) {
        for (const side of SIDES) {
          const options = { side, ...queue(prefix) }
          const { key, value } = (await alone.pull(options)) ?? {}
          for (const each of all) {
            expect(await each.peek(options)).toMatchObject({ key, value })
            expect(await each.pull(options)).toMatchObject({ key, value })
          }
        }
        for (const each of all) expect(await each.pull(queue(prefix))).toBeUndefined()
      }
      for (const each of all) expect(await each.count()).toBe(4)
    })
  })
}

describe('a namespace of a Cache', () => {
  const start = () =>
    withClock(cacheSubject('structured')) as never as { cache: Cache; clock: { advance(n: number): void } }

  it('gives what is pushed its time to live', async () => {
    const { cache, clock } = start()
    const views = cache.namespace('q', { defaultTtl: 1000 })
    await views.push('brief')
    await views.transact(tx => tx.push('brief, too'))
    await views.push('lasting', { ttl: null })
    clock.advance(1000)
    expect((await views.pull())?.value).toBe('lasting')
    expect(await views.pull()).toBeUndefined()
  })

  it('has its queues in transactions', async () => {
    const { cache } = start()
    await cache.push('of the cache')
    const jobs = cache.namespace('q')
    const answers = await jobs.transact(tx => [
      tx.push('b'),
      tx.push('a', { side: 'front' }),
      tx.push('named', { prefix: 'p' }),
      tx.peek()?.value,
      tx.peekItem()?.value,
      tx.peekItem({ last: false })?.value,
      tx.pull()?.key,
      tx.pull({ prefix: 'p' })?.key,
    ])
    const [first, last] = [499_999_999_999_999, 500_000_000_000_000]
    expect(answers).toEqual([last, first, 'p-500000000000000', 'a', 'named', 'b', first, 'p-500000000000000'])
    const undone = jobs.transact(tx => {
      tx.pull()
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    expect([(await jobs.pull())?.value, await jobs.pull()]).toEqual(['b', undefined])
    expect((await cache.pull())?.value).toBe('of the cache')
  })

  it('has them in savepoints', async () => {
    const { cache } = start()
    const jobs = cache.namespace('q')
    await jobs.transact(tx => tx.transact(inner => (inner as QueueTransaction).push('deep')))
    expect([await jobs.count(), (await jobs.pull())?.value, await cache.count()]).toEqual([1, 'deep', 0])
  })

  it('has its queues in transactions inside of them', async () => {
    const { cache } = start()
    const jobs = cache.namespace('q')
    const undo = new Error('undo')
    await jobs.transact(tx => {
      tx.push('kept')
      const nested = (): unknown =>
        tx.transact(inner => {
          expect((inner as typeof tx).pull()?.value).toBe('kept')
          throw undo
        })
      expect(nested).toThrow(undo)
      tx.transact(inner => (inner as typeof tx).push('kept, too'))
    })
    expect([(await jobs.pull())?.value, (await jobs.pull())?.value]).toEqual(['kept', 'kept, too'])
    expect(await cache.pull()).toBeUndefined()
  })

  it('shows the first and the last of its entries, and its keys in the order of SQLite', async () => {
    const { cache, clock } = start()
    const alone = cacheSubject('structured').make() as Cache
    const part = cache.namespace('part')
    const keys: Key[] = [
      'b',
      10,
      9,
      1.5,
      -3,
      2n ** 60n,
      null,
      true,
      Buffer.from('z'),
      'a',
      '\u{1f600}',
      '\ufffd',
      '~n5',
    ]
    for (const key of [...keys, ['x', 1], '', '~tx']) for (const each of [alone, part]) await each.set(key, `${key}`)
    await part.set('expired', 1, { ttl: 1 })
    clock.advance(1)
    await cache.set('zz', 'of the cache')
    expect(await part.peekItem()).toMatchObject({ key: '~tx', value: '~tx' })
    expect(await part.peekItem({ last: false })).toMatchObject({ key: 'b', value: 'b' })
    expect(await collect(part.sortedKeys())).toEqual(await collect(alone.sortedKeys()))
    expect(await collect(part.sortedKeys({ reverse: true }))).toEqual(
      await collect(alone.sortedKeys({ reverse: true })),
    )
    expect(await collect(part.sortedKeys({ prefix: '~' }))).toEqual(['~n5', '~tx'])
    expect(await cache.namespace('empty').peekItem()).toBeUndefined()
  })

  it('refuses what a queue of a Cache refuses', async () => {
    const part = start().cache.namespace('part')
    await expect(part.push(1, { prefix: 5 } as never)).rejects.toThrow(TypeError)
    await expect(part.push(undefined)).rejects.toThrow(TypeError)
    await expect(part.pull({ side: 'left' } as never)).rejects.toThrow(RangeError)
    await expect(part.peek({ prefx: 'a' } as never)).rejects.toThrow(/did you mean prefix/)
    await expect(part.peekItem({ last: 1 } as never)).rejects.toThrow(/last must be true or false/)
  })

  it('is what only a Cache has: no part of a FanoutCache has a queue', () => {
    const fanout = new FanoutCache(temporaryDirectory())
    onTestFinished(() => fanout.close())
    expect('push' in fanout.namespace('part')).toBe(false)
  })
})
