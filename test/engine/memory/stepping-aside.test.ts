import type { DiskCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { figures, hitsOf, nextTurn, remembering, rememberingShards, Stranger } from './support.js'

/** As many reads of a changed entry as it takes until memory is not looked at any more. */
const ROUNDS = 300
/** More than the longest time for which it is not looked at. */
const PATIENCE = 40_000

/** Another process writes between any two reads. */
async function disturb(cache: DiskCache, stranger: Stranger, rounds = ROUNDS): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    stranger.put('a', round)
    await nextTurn()
    expect(await cache.get('a')).toBe(round)
  }
}

describe('memory where others write between any two reads', () => {
  it('is passed by, and used again when they have stopped', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await disturb(cache, stranger)
    const passedBy = async (): Promise<void> => {
      for (let again = 0; again < 10; again++) expect(await cache.get('a')).toBe(ROUNDS - 1)
    }
    expect(await hitsOf(cache, passedBy)).toBe(0)
    let reads = 0
    const isHit = async (): Promise<boolean> => (await hitsOf(cache, () => cache.get('a'))) === 1
    while (!(await isHit())) expect(reads++).toBeLessThan(PATIENCE)
    expect(await hitsOf(cache, async () => expect(await cache.get('a')).toBe(ROUNDS - 1))).toBe(1)
  })

  it('is used again when only has() is called', async () => {
    const cache = await remembering()
    await disturb(cache, new Stranger(cache.directory))
    let calls = 0
    const isHit = async (): Promise<boolean> => (await hitsOf(cache, () => cache.has('a'))) === 1
    while (!(await isHit())) expect(calls++).toBeLessThan(PATIENCE)
  })

  it('counts what goes past it as missed', async () => {
    const cache = await remembering()
    await disturb(cache, new Stranger(cache.directory))
    const { hits, misses } = await figures(cache)
    await cache.getMany(['a', 'b', 'a'])
    expect(await figures(cache)).toMatchObject({ hits, misses: misses + 3 })
  })

  it('is not given up again for what has changed while it was passed by', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    const keys = Array.from({ length: 100 }, (_, at) => `${at}`)
    const change = (value: number): void => {
      for (const key of keys) stranger.put(key, value)
    }
    await cache.set('a', 'kept')
    for (let round = 0; round < 40; round++) {
      change(round)
      await nextTurn()
      await cache.getMany(keys)
    }
    expect(await hitsOf(cache, () => cache.getMany(keys))).toBe(0)
    change(40)
    let reads = 0
    while ((await hitsOf(cache, () => cache.get('a'))) === 0) expect(reads++).toBeLessThan(PATIENCE)
    expect(new Set(await cache.getMany(keys))).toEqual(new Set([40]))
    expect(await hitsOf(cache, () => cache.getMany(keys))).toBe(keys.length)
  })

  it('stays in use where most of what is kept has not changed', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.setMany(Array.from({ length: 10 }, (_, at) => [`${at}`, at] as const))
    for (let round = 0; round < ROUNDS; round++) {
      stranger.put(`${round % 10}`, round)
      await nextTurn()
      for (let at = 0; at < 5; at++) expect(await cache.get(`${(round + at) % 10}`)).toBeDefined()
    }
    expect(await hitsOf(cache, () => cache.getMany(['0', '1', '2', '3']))).toBeGreaterThan(2)
  })

  it('gives frozen values, if it should, also when it is passed by', async () => {
    const cache = await remembering({ mode: 'frozen' })
    await cache.set('object', { list: [1] })
    await disturb(cache, new Stranger(cache.directory))
    const one = await cache.get<{ list: number[] }>('object')
    expect([Object.isFrozen(one), Object.isFrozen(one?.list)]).toEqual([true, true])
  })

  it('shows the first of two writes to whoever has seen the second, of which one shard is passed by', async () => {
    const cache = await rememberingShards(2)
    const keys = Array.from({ length: 16 }, (_, at) => `key ${at}`)
    await cache.setMany(keys.map(key => [key, -1] as const))
    const strangers = ['000', '001'].map(shard => new Stranger(`${cache.directory}/${shard}`))
    const home = new Map(keys.map(key => [key, strangers.find(one => one.set(key, -1).changes > 0) as Stranger]))
    const [busy = '', ...others] = keys
    const first = others.find(key => home.get(key) !== home.get(busy)) as string
    for (let round = 0; round < ROUNDS; round++) {
      // In one turn: memory has `first`, and what is written of it must be seen by who sees `busy`.
      await cache.get(first)
      home.get(first)?.set(first, round)
      home.get(busy)?.set(busy, round)
      expect([await cache.get(busy), await cache.get(first)]).toEqual([round, round])
      await nextTurn()
    }
  })
})
