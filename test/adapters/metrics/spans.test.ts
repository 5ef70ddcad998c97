import { join } from 'node:path'
import { SpanStatusCode } from '@opentelemetry/api'
import {
  Averager,
  BoundedSemaphore,
  barrier,
  Cache,
  type CacheLike,
  Deque,
  defineModel,
  Index,
  type Key,
  Lock,
  memoize,
  RLock,
  throttle,
} from 'fanout-cache'
import { type InDirectory, instrument } from 'fanout-cache/opentelemetry'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../../helpers/child-process.js'
import { Gate } from '../../helpers/gate.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { followContexts, tracing } from '../../helpers/tracing.js'

followContexts()

/** Watches the spans of a cache or collection, which is called `it`. */
function watching(cache: InDirectory, options = {}) {
  const traces = tracing()
  onTestFinished(instrument(cache, { tracerProvider: traces.tracerProvider, spans: true, name: 'it', ...options }).stop)
  /** Runs `body` below a span of its own. */
  const below = <T>(name: string, body: () => Promise<T>): Promise<T> =>
    traces.tracer.startActiveSpan(name, span => body().finally(() => span.end()))
  return { ...traces, below, names: () => traces.spans().map(({ name }) => name) }
}

function closing<C extends { close(): Promise<void> }>(cache: C): C {
  onTestFinished(() => cache.close())
  return cache
}

const lockCache = () => closing(new Cache(temporaryDirectory(), { evictionPolicy: 'none' }))

describe('spans of a Deque', () => {
  it('are made for each verb that answers a promise, once', async () => {
    const deque = closing(new Deque<number>(temporaryDirectory()))
    const calls: Record<string, () => Promise<unknown>> = {
      append: () => deque.append(1),
      appendLeft: () => deque.appendLeft(0),
      extend: () => deque.extend([2, 3]),
      extendLeft: () => deque.extendLeft([4, 5]),
      pop: () => deque.pop(),
      popLeft: () => deque.popLeft(),
      peek: () => deque.peek(),
      peekLeft: () => deque.peekLeft(),
      length: () => deque.length(),
      at: () => deque.at(0),
      setAt: () => deque.setAt(0, 7),
      deleteAt: () => deque.deleteAt(0),
      remove: () => deque.remove(2),
      count: () => deque.count(1),
      reverse: () => deque.reverse(),
      rotate: () => deque.rotate(),
      setMaxLength: () => deque.setMaxLength(100),
      transact: () => deque.transact(() => 1),
      compare: () => deque.compare([]),
      equals: () => deque.equals(new Set()),
      clear: () => deque.clear(),
      take: () => deque.take(),
    }
    const { names } = watching(deque)
    for (const call of Object.values(calls)) await call()
    expect(names()).toEqual(Object.keys(calls).map(verb => `${verb} it`))
  })

  it('lie below what called, hold no items, and say whether there was one', async () => {
    const deque = closing(new Deque<string>(temporaryDirectory()))
    const { below, tree, spans } = watching(deque)
    await below('job', async () => {
      await deque.append('secret')
      await Promise.all([deque.popLeft(), deque.popLeft()])
    })
    await deque.popLeft()
    expect(tree()).toEqual(['job', '  append it', '  popLeft it', '  popLeft it', 'popLeft it'])
    const own = { 'db.system.name': 'fanout-cache', 'db.namespace': 'it', 'db.operation.name': 'popLeft' }
    expect(spans().at(-1)?.attributes).toEqual({ ...own, 'fanout_cache.hit': false })
    expect(spans().map(({ attributes }) => attributes['fanout_cache.hit'])).toEqual([
      ...[undefined, true, false],
      ...[undefined, false],
    ])
    expect(JSON.stringify(spans().map(({ attributes, events }) => [attributes, events]))).not.toContain('secret')
  })

  it('go on with an item that was taken, wherever it is done or released', async () => {
    const deque = closing(new Deque<string>(temporaryDirectory()))
    await deque.extend(['a', 'b'])
    const { below, tree } = watching(deque)
    await below('job', async () => {
      const item = await deque.take()
      await below('work', async () => void (await item?.done()))
      await using _other = await deque.take()
    })
    expect(tree()).toEqual(['job', '  take it', '  work', '    done it', '  take it', '  release it'])
  })

  it('tell misuse as they tell other errors', async () => {
    const deque = closing(new Deque(temporaryDirectory()))
    const { spans } = watching(deque)
    await expect(deque.append(1, { timeuot: 1 } as object)).rejects.toThrow(TypeError)
    await expect(deque.take({ lease: 0 })).rejects.toThrow(RangeError)
    expect(spans().map(({ name, status, attributes }) => [name, status.code, attributes['error.type']])).toEqual([
      ['append it', SpanStatusCode.ERROR, 'TypeError'],
      ['take it', SpanStatusCode.ERROR, 'RangeError'],
    ])
  })
})

describe('spans of an Index', () => {
  it('are made for each verb that answers a promise, once, with keys where these are asked for', async () => {
    const index = closing(new Index<number>(temporaryDirectory()))
    const { names, spans } = watching(index, { keys: true })
    await index.set('a', 1)
    await index.setMany([['b', 2]])
    await index.setDefault('c', 3)
    await index.get('a')
    await index.getMany(['a'])
    await index.has('a')
    await index.push(4)
    await index.pull()
    await index.peekItem()
    await index.popItem()
    await index.pop('a')
    await index.delete('b')
    await index.size()
    await index.equals(1)
    await index.transact(() => 1)
    await index.clear()
    const verbs = ['set', 'setMany', 'setDefault', 'get', 'getMany', 'has', 'push', 'pull', 'peekItem', 'popItem']
    const more = ['pop', 'delete', 'count', 'equals', 'transact', 'clear']
    expect(names()).toEqual([...verbs, ...more].map(verb => `${verb} it`))
    expect(spans()[2]?.attributes['fanout_cache.key']).toBe('c')
  })
})

describe('spans of views', () => {
  it('are made for each verb of a namespace that answers a promise, once', async () => {
    const cache = closing(new Cache(temporaryDirectory()))
    const part = cache.namespace('n', { version: 2 })
    await cache.namespace('n', { version: 1 }).set('old', 1)
    const { tree } = watching(cache)
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => part.get('a'),
      set: () => part.set('a', 1),
      getMany: () => part.getMany(['a']),
      push: () => part.push(1),
      peek: () => part.peek(),
      pull: () => part.pull(),
      peekItem: () => part.peekItem(),
      transact: () => part.transact(() => 1),
      count: () => part.count(),
      volume: () => part.volume(),
      expire: () => part.expire(),
      evict: () => part.evict('t'),
      clear: () => part.clear(),
    }
    for (const call of Object.values(calls)) await call()
    await part.clearOlderVersions()
    expect(tree()).toEqual([
      ...Object.keys(calls).map(verb => `${verb} it`),
      ...['clearOlderVersions it', '  clear it'],
    ])
  })

  it('are made for each verb of a model that answers a promise', async () => {
    const cache = closing(new Cache(temporaryDirectory()))
    const schema = { '~standard': { version: 1, vendor: 'it', validate: (value: unknown) => ({ value }) } } as const
    const model = cache.model(defineModel({ name: 'A', version: 1, schema }))
    const { names } = watching(cache)
    await model.put('a', 1)
    await model.get('a')
    await model.has('a')
    await model.putMany([['b', 1]])
    await model.getMany(['a', 'b'])
    await model.getOrSet('c', () => 1)
    await model.delete('a')
    await model.deleteMany(['b'])
    await model.count()
    await model.evict('t')
    await model.clear()
    const verbs = ['set', 'get', 'getItem', 'transact', 'getMany', 'getOrSet', 'delete', 'transact', 'count', 'evict']
    expect(names()).toEqual([...verbs, 'clear'].map(verb => `${verb} it`))
  })
})

describe('spans of locks', () => {
  it.each([
    ['Lock', Lock],
    ['RLock', RLock],
    ['BoundedSemaphore', BoundedSemaphore],
  ] as const)('are named after the class and the verb: %s', async (kind, Class) => {
    const cache = lockCache()
    const { below, tree, spans } = watching(cache.namespace('n'), { keys: true })
    await below('job', async () => {
      const lease = await new Class(cache.namespace('n'), 'report').acquire()
      await below('inside', async () => void (await lease.extend()))
      await new Class(cache.namespace('n'), 'report').locked()
      await lease.release()
    })
    expect(tree()).toEqual([
      ...['job', `  ${kind}.acquire it`, '  inside', `    ${kind}.extend it`],
      ...[`  ${kind}.locked it`, `  ${kind}.release it`],
    ])
    expect(spans()[0]?.attributes['fanout_cache.key']).toBe('n:1:report')
  })

  it('last as long as a wait, each below the one who waits', async () => {
    const cache = lockCache()
    const { below, tree, spans } = watching(cache)
    const held = await new Lock(cache, 'secret').acquire()
    const waiting = ['a', 'b'].map(name =>
      below(name, async () => {
        const lease = await new Lock(cache, 'secret').acquire()
        await below(`${name} has it`, async () => undefined)
        await lease.release()
      }),
    )
    await expect.poll(() => tree().length).toBe(5)
    expect(spans()).toHaveLength(1)
    expect(await new Lock(cache, 'secret').tryAcquire()).toBeUndefined()
    expect(spans()[1]?.attributes['fanout_cache.outcome']).toBe('missed')
    await held.release()
    await Promise.all(waiting)
    expect(tree()).toEqual([
      'Lock.acquire it',
      ...['a', '  Lock.acquire it', '  a has it', '  Lock.release it'],
      ...['b', '  Lock.acquire it', '  b has it', '  Lock.release it'],
      ...['Lock.tryAcquire it', 'Lock.release it'],
    ])
    expect(JSON.stringify(spans().map(({ attributes, events }) => [attributes, events]))).not.toContain('secret')
  })

  it('tell who gave up', async () => {
    const cache = lockCache()
    await new Lock(cache, 'a').acquire()
    const { spans } = watching(cache)
    await expect(new Lock(cache, 'a').acquire({ timeout: 1 })).rejects.toThrow("Lock 'a' was held")
    expect(spans()[0]?.attributes['error.type']).toBe('ERR_CACHE_TIMEOUT')
  })

  it('leave the holder of an RLock what it has', async () => {
    const cache = lockCache()
    const { tree } = watching(cache)
    const lock = new RLock(cache, 'a')
    await lock.run(async () => {
      await using _again = await lock.acquire()
      const other = await lock.tryAcquire()
      await other?.release()
    })
    await barrier(cache, async () => 1, { name: 'b', lock: RLock })()
    expect(tree()).toEqual(['RLock.acquire it', 'RLock.release it', 'RLock.acquire it', 'RLock.release it'])
  })
})

describe('errors of spans', () => {
  const failing: readonly (readonly [string, Key, (cache: Cache, key: Key) => Promise<unknown>])[] = [
    ['a lock', 'secret', waitInVain],
    ['a lock of a namespace', 'secret', (cache, key) => waitInVain(cache.namespace('n'), key)],
    ['a lock with a number', 987_654, waitInVain],
    ['a lock with a number in a namespace', 987_654, (cache, key) => waitInVain(cache.namespace('n'), key)],
    ['a lock with a pattern', 'secret.*', waitInVain],
    ['a long key', `secret${'s'.repeat(100)}`, waitInVain],
    ['a counter', 'secret', (cache, key) => cache.set(key, 'text').then(() => cache.incr(key))],
  ]

  it.each(failing)('name no key where keys are not asked for: %s', async (_case, key, fail) => {
    const cache = lockCache()
    const { spans } = watching(cache)
    const other = watching(cache, { keys: true })
    await expect(fail(cache, key)).rejects.toThrow(/secret|987654/)
    const [events, said] = [spans(), other.spans()].map(list => {
      return JSON.stringify(list.map(({ attributes, events, status }) => [attributes, events, status]))
    })
    expect(events).not.toMatch(/secret|987654/)
    expect(events).toContain('exception.stacktrace')
    expect(said).toMatch(/secret|987654/)
  })
})

async function waitInVain(cache: CacheLike, key: Key): Promise<void> {
  await new Lock(cache, key).acquire()
  await new Lock(cache, key).acquire({ timeout: 1 })
}

describe('spans of other recipes', () => {
  it('show the wait of a throttled call, and not the call', async () => {
    const cache = lockCache()
    const { below, tree, spans } = watching(cache)
    const ask = throttle(cache, (name: string) => below(`ask ${name}`, async () => 1), {
      ...{ name: 'api', count: 1, per: 1 },
    })
    await Promise.all(['a', 'b'].map(name => below(name, () => ask(name))))
    expect(tree()).toEqual(['a', '  throttle it', '  ask a', 'b', '  throttle it', '  ask b'])
    expect(
      spans()
        .filter(({ name }) => name === 'throttle it')
        .map(({ ended }) => ended),
    ).toEqual([true, true])
  })

  it('show what memoize reads, and what it computes', async () => {
    const cache = lockCache()
    const { below, tree } = watching(cache)
    const square = memoize(cache, (a: number) => below('compute', async () => a * a), { name: 'square' })
    await below('request', async () => void (await square(2)))
    await below('again', async () => void (await square(2)))
    expect(tree()).toEqual(['request', '  get it', '  getOrSet it', '    compute', 'again', '  get it'])
  })

  it('show who waits for the computation of another', async () => {
    const cache = lockCache()
    const { below, tree, spans } = watching(cache)
    const gate = new Gate()
    const get = () =>
      cache.getOrSet('a', () =>
        below('compute', async () => {
          await gate.opened
          return 'secret'
        }),
      )
    const both = ['first', 'second'].map(name => below(name, get))
    await expect.poll(() => tree().length).toBe(6)
    gate.open()
    expect(await Promise.all(both)).toEqual(['secret', 'secret'])
    expect(tree()).toEqual([
      ...['first', '  getOrSet it', '    compute'],
      ...['second', '  getOrSet it', '    getOrSet.wait it'],
    ])
    expect(spans().every(({ ended }) => ended)).toBe(true)
    expect(JSON.stringify(spans().map(({ attributes, events }) => [attributes, events]))).not.toContain('secret')
  })

  it('show who waits for the computation of another process', async () => {
    const cache = new Cache(temporaryDirectory())
    const { below, tree } = watching(closing(cache))
    const script = new URL('../../faults/fixtures/computer.mjs', import.meta.url)
    const about = { kind: 'Cache', directory: cache.directory, key: 'a', act: 'wait' }
    const other = new FixtureProcess(script, { ...about, log: join(temporaryDirectory(), 'log') })
    other.send('go')
    await other.line('computing')
    const value = below('request', () => cache.getOrSet('a', () => 'mine'))
    await expect.poll(() => tree()).toEqual(['request', '  getOrSet it', '    getOrSet.wait it'])
    other.send('finish')
    expect(await value).toBe(`made by ${other.pid}`)
  })

  it('are made for an Averager', async () => {
    const cache = lockCache()
    const { names, spans } = watching(cache, { keys: true })
    const mean = new Averager(cache, 'm')
    await mean.add(1)
    expect([await mean.get(), await mean.pop()]).toEqual([1, 1])
    await expect(mean.add(Number.NaN)).rejects.toThrow(RangeError)
    expect(names()).toEqual(['Averager.add it', 'get it', 'Averager.pop it', 'Averager.add it'])
    expect(spans().map(({ attributes }) => attributes['fanout_cache.key'])).toEqual(['m', 'm', 'm', 'm'])
  })
})
