import type { DiskCache, Transaction } from '../contract.js'
import type { EncodedKey } from '../disk/codec.js'
import { DiskCacheError, ReadonlyError } from '../errors.js'
import type { EngineAccess } from '../handle-of.js'
import { traced } from '../observe/verbs.js'
import type { ComputeContext, Computing, Item, Key, Storing, Waiting } from '../options.js'
import { keepingFreshness } from '../verbs/computing.js'
import { copyOf } from '../verbs/copying.js'
import { PLAIN, readAs } from '../verbs/getting.js'
import { peekItem, peekItems } from '../verbs/peeking.js'
import type { Envelope } from './envelope.js'

const INSIDE = /^expected value\.value/

/** The store of the entries of a model: a cache of its own or a part of another one. */
export class ModelStore {
  readonly cache: DiskCache
  readonly access: EngineAccess

  constructor(cache: DiskCache, access: EngineAccess) {
    this.cache = cache
    this.access = access
  }

  /** A copy of a value as it would be stored. One that cannot be stored is returned as it is: storing it tells why. */
  readonly copyOf = <T>(value: T): T => copyOf(this.access.handle.options.codec, value)

  /** Epoch milliseconds. */
  now(): number {
    return this.access.handle.options.clock.now()
  }

  /** Reads a value like `get` of the cache, and tells whether it came from memory. */
  async read(key: Key, options?: Waiting): Promise<{ readonly stored: unknown; readonly fromMemory: boolean }> {
    const { handle, hostKey } = this.access
    let fromMemory = false
    const hit = (): void => {
      fromMemory = true
    }
    const { of, past, stored: read } = PLAIN
    const stored = await readAs(handle, hostKey(key), { of, past, stored: read, hit }, options)
    return { stored, fromMemory }
  }

  /** Reads an entry without noting the access. */
  peek(key: Key, options?: Waiting): Promise<Item<unknown> | undefined> {
    const { handle, encodeKey, hostKey } = this.access
    const read = (encoded: EncodedKey): Promise<Item<unknown> | undefined> =>
      peekItem(handle, encoded, options, hostKey(key))
    return traced(handle, 'getItem', hostKey(key), () => handle.start(() => encodeKey(key), read))
  }

  /** Reads several entries, in the order of the keys; those of one database at one moment. */
  peekAll(keys: readonly Key[], options?: Waiting): Promise<(Item<unknown> | undefined)[]> {
    const { handle, encodeKey } = this.access
    return traced(handle, 'getMany', undefined, () =>
      handle.start(
        () => keys.map(encodeKey),
        encoded => peekItems(handle, encoded, options),
      ),
    )
  }

  /** Stores a value in its envelope. */
  put(key: Key, envelope: Envelope, storing: Storing): Promise<boolean> {
    return naming(() => this.cache.set(key, envelope, storing))
  }

  /** Reads a value in its envelope, or computes and stores it. */
  getOrSet(
    key: Key,
    compute: (context: ComputeContext<unknown>) => Promise<unknown>,
    options: Computing,
  ): Promise<unknown> {
    return naming(() => this.cache.getOrSet(key, compute, options))
  }

  /** Runs a transaction with the waiting of `set`: a FanoutCache retries by default. `undefined`: it refused. */
  transact<T>(body: (tx: Transaction) => T, keys: readonly Key[], options: Waiting): Promise<T | undefined> {
    const { timeout, signal, retry = this.access.handle.kind === 'FanoutCache' } = options
    return naming(() => this.cache.transact(body, { keys, timeout, signal, retry }))
  }

  /** Removes an entry if its version is still the one seen. Does nothing when it cannot be written now. */
  remove(key: Key, seen: Item<unknown>): Promise<boolean> {
    return this.#change(key, seen, tx => tx.delete(key))
  }

  /** Replaces the value of an entry, and nothing else, if its version is still the one seen. */
  replace(key: Key, seen: Item<unknown>, value: unknown): Promise<boolean> {
    const { expiresAt, tag, tags } = seen
    const ttl = expiresAt === undefined ? null : Math.max(0, expiresAt - this.now())
    const storing: Storing = { ttl, tags, tag }
    const { handle, encodeKey } = this.access
    return this.#change(key, seen, tx => keepingFreshness(handle, encodeKey(key), () => tx.set(key, value, storing)))
  }

  /**
   * Makes an entry last for `ttl` from now, unless less than `least` of that has passed. No reader waits for it.
   * Resolves to its expiry in epoch milliseconds.
   */
  async renew(key: Key, ttl: number, least: number): Promise<number> {
    const info = await this.cache.info(key)
    const until = this.now() + ttl
    if (info?.expiresAt === undefined || info.expiresAt > until - least) return info?.expiresAt ?? until
    this.cache.touch(key, { ttl, ifVersion: info.version, retry: false }).catch(() => undefined)
    return until
  }

  async #change(key: Key, seen: Item<unknown>, change: (tx: Transaction) => boolean): Promise<boolean> {
    if (this.access.handle.options.readonly) return false
    const body = (tx: Transaction): boolean => tx.info(key)?.version === seen.version && change(tx)
    try {
      return (await this.cache.transact(body, { keys: [key], retry: false })) ?? false
    } catch (error) {
      const isRefused = error instanceof DiskCacheError && error.refusal !== undefined
      if (isRefused || error instanceof ReadonlyError) return false
      throw error
    }
  }
}

/** Lets an error that names a part of an envelope name that part of the value in it. */
async function naming<T>(store: () => Promise<T>): Promise<T> {
  try {
    return await store()
  } catch (error) {
    if (!(error instanceof TypeError) || !INSIDE.test(error.message)) throw error
    throw new TypeError(error.message.replace(INSIDE, 'expected value'), { cause: error.cause })
  }
}
