import { fileURLToPath } from 'node:url'
import {
  type Cache,
  type DiskCache,
  type FanoutCache,
  type Key,
  pickleCodec,
  type QueueTransaction,
} from 'fanout-cache'
import { expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { tuple } from '../helpers/wire.js'
import { KINDS, withPython } from './support.js'

/** What has the verbs of a cache, at once or later. */
type Verbs = (DiskCache & Pick<Cache, 'push' | 'pull' | 'peek' | 'peekItem'>) | QueueTransaction

/** One call in both languages. In Python `$` is the cache, and `@` begins the names of what it is given. */
interface Call {
  readonly python: string
  readonly node: (cache: Verbs) => unknown
  /** What stands for an answer of Node. Default: itself, or `MISS`. */
  readonly seen?: (answer: never) => unknown
  readonly names: Readonly<Record<string, unknown>>
}

type Draw = (below: number) => number

/** Steps of a sequence; DIFFERENTIAL_STEPS asks for a longer search, DIFFERENTIAL_SEED for another one. */
const STEPS = Number(process.env['DIFFERENTIAL_STEPS'] ?? 200)
const SEED = Number(process.env['DIFFERENTIAL_SEED'] ?? 1)
const REFERENCE = fileURLToPath(new URL('./fixtures/reference.py', import.meta.url))
const MISS = 'nothing'
/** No number between 0 and the queue's: Python would take it for the head. */
const KEYS: readonly Key[] = [
  'a',
  'ключ',
  '',
  -7,
  0,
  2n ** 63n - 1n,
  2n ** 64n,
  -0.5,
  Buffer.from([0, 255]),
  null,
  ['t', 1],
]
/** On both sides of the size from which on values are files, which is 64. */
const VALUES: readonly unknown[] = [
  ...[1, -2.5, 2n ** 60n, 2n ** 63n, Number.NaN, true, null, '', 'text', Buffer.from('b')],
  ...[63, 64].flatMap(size => ['x'.repeat(size), '😀'.repeat(size), Buffer.alloc(size, 7)]),
  ...['\r\n'.repeat(40), [1, 'a', [null]], { list: [1, 1], text: 'y'.repeat(60) }],
]
const TTLS = [0, 1, 2, 3, 31, 100_001]

/** Numbers of a sequence that is the same in every run. Source: Park and Miller, CACM 31 (1988). */
function sequence(seed: number): Draw {
  let state = seed
  return below => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

const forPython = (key: Key): unknown => (Array.isArray(key) ? tuple(...key) : key)
const itsValue = (item: { readonly value: unknown } | undefined): unknown => item?.value
const keysOf = (keys: Iterable<Key> | AsyncIterable<Key>): Promise<Key[]> => collect(keys as AsyncIterable<Key>)

/** One of the verbs on entries. */
function onEntries(draw: Draw): Call {
  const key = KEYS[draw(KEYS.length)] as Key
  const value = VALUES[draw(VALUES.length)]
  const ttl = draw(2) === 0 ? null : (TTLS[draw(TTLS.length)] as number)
  const tag = ['red', 'blue', 7][draw(3)] as string
  const names = { key: forPython(key), value, ttl: ttl === null ? null : ttl / 1000, tag, miss: MISS }
  const all: readonly Omit<Call, 'names'>[] = [
    { python: '$.set(@key, @value, expire=@ttl, tag=@tag)', node: on => on.set(key, value, { ttl, tag }) },
    { python: '$.set(@key, @value)', node: on => on.set(key, value) },
    { python: '$.add(@key, @value, expire=@ttl, tag=@tag)', node: on => on.add(key, value, { ttl, tag }) },
    { python: '$.get(@key, @miss)', node: on => on.get(key) },
    { python: '@key in $', node: on => on.has(key) },
    { python: '$.touch(@key, @ttl)', node: on => on.touch(key, { ttl }) },
    { python: '$.delete(@key)', node: on => on.delete(key) },
    { python: '$.pop(@key, @miss)', node: on => on.pop(key) },
    { python: '$.incr("n", 3, default=5)', node: on => on.incr('n', 3, { default: 5 }) },
    { python: '$.decr("f", 0.5)', node: on => on.decr('f', 0.5) },
    { python: '$.pop("n", @miss)', node: on => on.pop('n') },
    { python: '$.evict(@tag)', node: on => on.evict(tag) },
    { python: '$.expire()', node: on => on.expire() },
    { python: 'list($)', node: on => on.keys({ includeExpired: true }), seen: keysOf },
    { python: '[key for key in reversed($) if key in $]', node: on => on.keys({ reverse: true }), seen: keysOf },
    { python: 'len($)', node: on => on.count() },
  ]
  return { ...(all[draw(all.length)] as Omit<Call, 'names'>), names }
}

/** One of the verbs on queues. */
function onQueues(draw: Draw): Call {
  const value = VALUES[draw(VALUES.length)]
  const [front, last] = [draw(2) === 0, draw(2) === 0]
  const side = front ? 'front' : 'back'
  const names = { value, side, last, miss: MISS, none: [null, MISS] }
  const end = { prefix: 'q', side } as const
  const all: readonly Omit<Call, 'names'>[] = [
    { python: '$.push(@value, prefix="q", side=@side)', node: on => on.push(value, end) },
    { python: '$.push(@value, side=@side, expire=0.003)', node: on => on.push(value, { side, ttl: 3 }) },
    { python: '$.pull(prefix="q", side=@side, default=@none)[1]', node: on => on.pull(end), seen: itsValue },
    { python: '$.peek(prefix="q", side=@side, default=@none)[1]', node: on => on.peek(end), seen: itsValue },
    { python: '$.peek(side=@side, default=@none)[1]', node: on => on.peek({ side }), seen: itsValue },
    { python: 'peeked($, @last, @miss)', node: on => on.peekItem({ last }), seen: itsValue },
  ]
  return { ...(all[draw(all.length)] as Omit<Call, 'names'>), names }
}

/** Several calls in one transaction, which is undone or not. */
function inTransaction(draw: Draw, one: (draw: Draw) => Call): Call {
  const calls = Array.from({ length: 1 + draw(5) }, () => one(draw))
  const undone = draw(3) === 0
  const own = calls.map(({ python }, at) => `lambda: ${python.replaceAll(/@(\w+)/g, `@$1_${at}`)}`)
  const names = calls.flatMap((call, at) => Object.entries(call.names).map(([name, value]) => [`${name}_${at}`, value]))
  return {
    python: `together($, [${own.join(', ')}], @undone)`,
    node: on => transaction(on as DiskCache, calls, undone),
    names: { ...Object.fromEntries(names), undone },
  }
}

async function transaction(cache: DiskCache, calls: readonly Call[], undone: boolean): Promise<unknown[]> {
  const undoing = new Error('undone')
  const answers: unknown[] = []
  const body = (tx: unknown): void => {
    for (const { node } of calls) {
      const answer = node(tx as QueueTransaction)
      // A list is read before the transaction goes on.
      answers.push(isIterator(answer) ? [...answer] : answer)
    }
    if (undone) throw undoing
  }
  await cache.transact(body).catch((error: unknown) => expect(error).toBe(undoing))
  return Promise.all(calls.map((call, at) => seen(call, answers[at])))
}

function isIterator(answer: unknown): answer is Iterable<unknown> {
  return typeof answer === 'object' && answer !== null && 'next' in answer && Symbol.iterator in answer
}

async function seen(call: Call, answer: unknown): Promise<unknown> {
  const known = (await (call.seen ? call.seen(answer as never) : answer)) as unknown
  return known === undefined ? MISS : known
}

/** Makes a call in Python, at an instant. */
function inPython(python: Python, call: Call, cache: string, now: number): Promise<unknown> {
  const expression = call.python.replaceAll('$', cache).replaceAll('@', '')
  return python.call(`stop_clock(now)\nreturn ${expression}`, { ...call.names, now: now / 1000 })
}

/** A cache that Python and Node share, and one that only Python has. */
async function opened(kind: (typeof KINDS)[number], clock: ManualClock, cullLimit: number) {
  const python = startPython()
  const [shared, alone] = [temporaryDirectory(), temporaryDirectory()]
  const settings = kind.inPython
    .replace('directory', 'where')
    .replace(')', ', cull_limit=limit, disk_min_file_size=64, disk_pickle_protocol=5)')
  await python.call('keep(**__import__("runpy").run_path(reference))', { reference: REFERENCE })
  await python.call(`keep(shared=${settings})`, { where: shared, limit: cullLimit })
  await python.call(`keep(alone=${settings})`, { where: alone, limit: cullLimit })
  const cache: Cache | FanoutCache = kind.open(shared, { clock, codec: pickleCodec })
  const contents = (): Promise<[unknown, unknown]> =>
    python.call('[content(where), content(other)]', { where: shared, other: alone })
  return { python, cache, contents }
}

withPython.each(KINDS)('a $kind in which Node and Python take turns', kind => {
  it.each([
    ['with transactions', 0],
    ['with culling', 2],
  ])('answers and holds after each step what one of Python alone does, %s', async (_, cullLimit) => {
    const clock = new ManualClock()
    const draw = sequence(SEED + cullLimit)
    const { python, cache, contents } = await opened(kind, clock, cullLimit)
    const one = (): Call => (kind.kind === 'Cache' && draw(4) === 0 ? onQueues(draw) : onEntries(draw))
    for (let step = 0; step < STEPS; step++) {
      // Mostly in small steps, so that entries are met at the very instant of their expiry.
      clock.advance(draw(4) === 0 ? 1 + draw(20) : 1)
      // Python culls after each call of a transaction, and we at its end.
      const call = cullLimit === 0 && draw(6) === 0 ? inTransaction(draw, one) : one()
      const wanted = await inPython(python, call, 'alone', clock.now())
      const byNode = draw(3) > 0
      const answer = byNode
        ? await seen(call, await call.node(cache as Cache))
        : await inPython(python, call, 'shared', clock.now())
      const what = `step ${step}, ${byNode ? 'in Node' : 'in Python'}: ${call.python}`
      expect(answer, what).toEqual(wanted)
      const [held, wantedContent] = await contents()
      expect(held, what).toEqual(wantedContent)
    }
    expect(await cache.check()).toEqual([])
    expect(await python.call('found(shared)')).toEqual([])
  })
})
