import type { Cache, DiskCache } from 'fanout-cache'
import { expect } from 'vitest'
import { collect } from '../helpers/collect.js'

type Call = (cache: DiskCache, options: object) => unknown

/** Every verb that takes options, with something to work on. */
export const VERBS: Readonly<Record<string, Call>> = {
  get: (cache, options) => cache.get('key', options),
  getItem: (cache, options) => cache.getItem('key', options),
  info: (cache, options) => cache.info('key', options),
  getMany: (cache, options) => cache.getMany(['key'], options),
  read: (cache, options) => cache.read('key', options),
  set: (cache, options) => cache.set('key', 1, options),
  setMany: (cache, options) => cache.setMany([['key', 1]], options),
  'an entry of setMany': (cache, options) => cache.setMany([['key', 1, options]]),
  add: (cache, options) => cache.add('key', 1, options),
  getOrSet: (cache, options) => cache.getOrSet('key', () => 1, options),
  touch: (cache, options) => cache.touch('key', options),
  delete: (cache, options) => cache.delete('key', options),
  deleteMany: (cache, options) => cache.deleteMany(['key'], options),
  pop: (cache, options) => cache.pop('key', options),
  popItem: (cache, options) => cache.popItem('key', options),
  incr: (cache, options) => cache.incr('key', 1, options),
  decr: (cache, options) => cache.decr('key', 1, options),
  keys: (cache, options) => collect(cache.keys(options)),
  entries: (cache, options) => collect(cache.entries(options)),
  expire: (cache, options) => cache.expire(options),
  evict: (cache, options) => cache.evict('red', options),
  cull: (cache, options) => cache.cull(options),
  clear: (cache, options) => cache.clear(options),
  check: (cache, options) => cache.check(options),
  stats: (cache, options) => cache.stats(options),
  configure: (cache, options) => cache.configure(options),
  transact: (cache, options) => cache.transact(() => 1, options),
}

export const QUEUE_VERBS: Readonly<Record<string, (cache: Cache, options: object) => unknown>> = {
  push: (cache, options) => cache.push(1, options),
  pull: (cache, options) => cache.pull(options),
  peek: (cache, options) => cache.peek(options),
  peekItem: (cache, options) => cache.peekItem(options),
  sortedKeys: (cache, options) => collect(cache.sortedKeys(options)),
}

/** What a verb throws at once or rejects with. */
export async function misuse(call: () => unknown): Promise<unknown> {
  try {
    await call()
    return undefined
  } catch (error) {
    return error
  }
}

export async function expectMisuse(
  call: () => unknown,
  type: typeof TypeError | typeof RangeError,
  names: RegExp,
  label?: string,
): Promise<void> {
  const error = await misuse(call)
  expect(error, label).toBeInstanceOf(type)
  expect((error as Error).message, label).toMatch(names)
}

/** What an error must name, its type, and the call that is misuse. */
export type Misuse = readonly [names: RegExp, type: typeof TypeError | typeof RangeError, call: () => unknown]

/** Tells all calls that are not refused as they should be, not the first alone. */
export async function expectAllMisuse(calls: readonly Misuse[]): Promise<void> {
  const accepted: string[] = []
  for (const [names, type, call] of calls) {
    const error = await misuse(call)
    if (!(error instanceof type) || !names.test(error.message)) accepted.push(`${call}: ${error}`)
  }
  expect(accepted).toEqual([])
}
