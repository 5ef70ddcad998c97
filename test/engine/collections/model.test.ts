import { type Deque, Index } from 'fanout-cache'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { collect } from '../../helpers/collect.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { itemsOf, openDeque } from './support.js'

/** Sequences per collection; MODEL_RUNS asks for a longer search. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 20)
const LARGE = '#'.repeat(33_000)
const OUT_OF_RANGE = 'out of range'

/** What one step does to the collection, and to the array or Map which it should be like. */
interface Step<Real, Model> {
  readonly name: string
  run(real: Real): unknown
  like(model: Model): unknown
}

const value = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom<unknown>(0, 1, 2, 'a', 'b', null, 2.5) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(LARGE, [1], { a: 1 }) },
)
const index = fc.integer({ min: -8, max: 8 })

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function rotated(items: unknown[], steps: number): void {
  if (items.length === 0) return
  const cut = ((steps % items.length) + items.length) % items.length
  items.unshift(...items.splice(items.length - cut))
}

/** What an index out of range does. */
function inRange(items: unknown[], at: number, change: (at: number) => void): unknown {
  const place = at < 0 ? items.length + at : at
  if (place < 0 || place >= items.length) return OUT_OF_RANGE
  change(place)
  return undefined
}

type DequeStep = Step<Deque<unknown>, unknown[]>

const dequeStep: fc.Arbitrary<DequeStep> = fc.oneof(
  value.map(v =>
    step(
      'append',
      d => d.append(v),
      items => void items.push(v),
    ),
  ),
  value.map(v =>
    step(
      'appendLeft',
      d => d.appendLeft(v),
      items => void items.unshift(v),
    ),
  ),
  fc.array(value, { maxLength: 5 }).map(vs =>
    step(
      'extend',
      d => d.extend(vs),
      items => void items.push(...vs),
    ),
  ),
  fc.array(value, { maxLength: 5 }).map(vs =>
    step(
      'extendLeft',
      d => d.extendLeft(vs),
      items => void items.unshift(...[...vs].reverse()),
    ),
  ),
  fc.constant(
    step(
      'pop',
      d => d.pop(),
      items => items.pop(),
    ),
  ),
  fc.constant(
    step(
      'popLeft',
      d => d.popLeft(),
      items => items.shift(),
    ),
  ),
  fc.constant(
    step(
      'peek',
      d => d.peek(),
      items => items.at(-1),
    ),
  ),
  fc.constant(
    step(
      'peekLeft',
      d => d.peekLeft(),
      items => items[0],
    ),
  ),
  fc.constant(
    step(
      'length',
      d => d.length(),
      items => items.length,
    ),
  ),
  index.map(at =>
    step(
      `at ${at}`,
      d => d.at(at),
      items => items.at(at),
    ),
  ),
  fc.tuple(index, value).map(([at, v]) =>
    step(
      `setAt ${at}`,
      d => d.setAt(at, v),
      items =>
        inRange(items, at, place => {
          items[place] = v
        }),
    ),
  ),
  index.map(at =>
    step(
      `deleteAt ${at}`,
      d => d.deleteAt(at),
      items => inRange(items, at, place => void items.splice(place, 1)),
    ),
  ),
  value.map(v =>
    step(
      'remove',
      d => d.remove(v),
      items => {
        const at = items.findIndex(item => equal(item, v))
        if (at >= 0) items.splice(at, 1)
        return at >= 0
      },
    ),
  ),
  value.map(v =>
    step(
      'count',
      d => d.count(v),
      items => items.filter(item => equal(item, v)).length,
    ),
  ),
  fc.constant(
    step(
      'reverse',
      d => d.reverse(),
      items => void items.reverse(),
    ),
  ),
  index.map(steps =>
    step(
      `rotate ${steps}`,
      d => d.rotate(steps),
      items => rotated(items, steps),
    ),
  ),
  fc.constant(
    step(
      'values',
      d => itemsOf(d),
      items => [...items],
    ),
  ),
  fc.constant(
    step(
      'reversed',
      d => collect(d.values({ reverse: true })),
      items => [...items].reverse(),
    ),
  ),
  fc.constant(
    step(
      'take and release',
      async d => {
        const item = await d.take()
        return item && [item.value, await item.release()]
      },
      items => (items.length === 0 ? undefined : [items[0], true]),
    ),
  ),
  fc.constant(
    step(
      'take and done',
      async d => {
        const item = await d.take({ side: 'back' })
        return item && [item.value, await item.done()]
      },
      items => (items.length === 0 ? undefined : [items.pop(), true]),
    ),
  ),
  {
    weight: 1,
    arbitrary: fc.constant(
      step(
        'clear',
        d => d.clear(),
        items => items.splice(0).length,
      ),
    ),
  },
)

function step(name: string, run: DequeStep['run'], like: DequeStep['like']): DequeStep {
  return { name, run, like }
}

async function settle(run: () => unknown): Promise<unknown> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof RangeError) return OUT_OF_RANGE
    throw error
  }
}

it.each([1, 2])('a deque with %i handles behaves as an array does, awaited or not', async many => {
  const sequences = fc.array(fc.tuple(dequeStep, fc.boolean()), { minLength: 5, maxLength: 40 })
  const property = fc.asyncProperty(sequences, async steps => {
    const directory = temporaryDirectory()
    const handles = Array.from({ length: many }, () => openDeque({}, directory))
    for (const handle of handles) await handle.open()
    const model: unknown[] = []
    const pending: Promise<unknown>[] = []
    for (const [turn, [{ name, run, like }, awaited]] of steps.entries()) {
      const expected = structuredClone(like(model))
      const done = settle(() => run(handles[turn % many] as Deque)).then(result => {
        expect(result, name).toEqual(expected)
      })
      // Walks and what takes several steps see what is called while they are under way.
      const whole = !/values|reversed|count|remove|take/.test(name)
      if (awaited || !whole) await Promise.all([...pending.splice(0), done])
      else pending.push(done)
    }
    await Promise.all(pending)
    const [first] = handles as [Deque]
    expect(await itemsOf(first)).toEqual(model)
    expect(await first.cache.count()).toBe(model.length)
    expect(await first.cache.check()).toEqual([])
    for (const handle of handles) await handle.close()
  })
  await fc.assert(property, { numRuns: RUNS, endOnFailure: false })
})

it('a bounded deque behaves as an array from which the other end falls', async () => {
  const sequences = fc.array(fc.tuple(fc.array(value, { maxLength: 9 }), fc.boolean()), { maxLength: 12 })
  const property = fc.asyncProperty(sequences, fc.integer({ min: 0, max: 6 }), async (steps, maxLength) => {
    const deque = openDeque({ maxLength })
    let model: unknown[] = []
    for (const [values, left] of steps) {
      if (left) {
        await deque.extendLeft(values)
        model = [...[...values].reverse(), ...model].slice(0, maxLength)
      } else {
        await deque.transact(tx => tx.extend(values))
        model = [...model, ...values].slice(Math.max(0, model.length + values.length - maxLength))
      }
      expect(await itemsOf(deque)).toEqual(model)
    }
    await deque.close()
  })
  await fc.assert(property, { numRuns: Math.ceil(RUNS / 3), endOnFailure: false })
})

type IndexStep = Step<Index, Map<string, unknown>>

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')

function last(map: Map<string, unknown>, take: boolean, at: number): unknown {
  const entry = [...map].at(at)
  if (entry && take) map.delete(entry[0])
  return entry
}

const indexStep: fc.Arbitrary<IndexStep> = fc.oneof(
  fc.tuple(key, value).map(([k, v]): IndexStep => {
    return { name: 'set', run: index => index.set(k, v), like: map => map.set(k, v) && true }
  }),
  fc.tuple(key, value).map(([k, v]): IndexStep => {
    const like: IndexStep['like'] = map => (map.has(k) ? map.get(k) : map.set(k, v).get(k))
    return { name: 'setDefault', run: index => index.setDefault(k, v), like }
  }),
  key.map((k): IndexStep => ({ name: 'get', run: index => index.get(k), like: map => map.get(k) })),
  key.map((k): IndexStep => ({ name: 'delete', run: index => index.delete(k), like: map => map.delete(k) })),
  key.map((k): IndexStep => {
    const like: IndexStep['like'] = map => {
      const known = map.get(k)
      map.delete(k)
      return known
    }
    return { name: 'pop', run: index => index.pop(k), like }
  }),
  fc.tuple(fc.boolean(), fc.boolean()).map(([isLast, take]): IndexStep => {
    const verb = take ? 'popItem' : 'peekItem'
    const run: IndexStep['run'] = async index => {
      const item = await index[verb]({ last: isLast })
      return item && [item.key, item.value]
    }
    return { name: verb, run, like: map => last(map, take, isLast ? -1 : 0) }
  }),
  fc.boolean().map((reverse): IndexStep => {
    const like: IndexStep['like'] = map => (reverse ? [...map].reverse() : [...map])
    return { name: 'entries', run: index => collect(index.entries({ reverse })), like }
  }),
  fc.constant<IndexStep>({ name: 'size', run: index => index.size(), like: map => map.size }),
)

it.each([1, 2])('an index with %i handles behaves as a Map does', async many => {
  const property = fc.asyncProperty(fc.array(indexStep, { minLength: 5, maxLength: 40 }), async steps => {
    const directory = temporaryDirectory()
    const handles = Array.from({ length: many }, () => new Index(directory))
    const model = new Map<string, unknown>()
    for (const [turn, { name, run, like }] of steps.entries()) {
      const expected = structuredClone(like(model))
      expect(await run(handles[turn % many] as Index), name).toEqual(expected)
    }
    const [first] = handles as [Index]
    expect(await first.equals(model)).toBe(true)
    expect(await first.cache.check()).toEqual([])
    for (const handle of handles) await handle.close()
  })
  await fc.assert(property, { numRuns: RUNS, endOnFailure: false })
})
