import { type SessionData, Store } from 'express-session'
import type { DiskCache, Duration, Item, Waiting } from '../../engine/index.js'
import { nextTick } from '../../engine/timers.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'
import { hostTtl, ttlUntil } from '../ttl.js'

const DAY = 86_400_000

/** The wait of reads. A FanoutCache gives up after 10 ms by default, and a user without a session is logged out. */
const PATIENT_READ: Waiting = { timeout: '10s' }

/** Options of `DiskSessionStore`. */
export interface SessionStoreOptions extends DoorOptions {
  /** Prefix of the keys of sessions. @default 'sessions' */
  readonly prefix?: string | undefined
  /** Time to live of a session whose cookie ends with the browser session: milliseconds or a string. @default '1d' */
  readonly ttl?: Duration | undefined
}

/** Called when a session was stored or removed. `error` is absent when that has succeeded. */
export type SessionCallback = (error?: unknown) => void

/**
 * A store for express-session. Sessions survive restarts, are shared by all processes of the machine and are removed
 * when their cookies expire. Since a full cache evicts, give sessions a directory of their own with `evictionPolicy:
 * 'none'`.
 *
 * @example
 * const store = new DiskSessionStore('/var/lib/app/sessions', { evictionPolicy: 'none' })
 * app.use(session({ secret, resave: false, saveUninitialized: false, store }))
 */
export class DiskSessionStore extends Store {
  readonly #door: Door
  readonly #space: Namespaced
  readonly #ttl: number | null

  /** @throws TypeError when no directory is given and for misspelt options; RangeError for values out of range */
  constructor(source: CacheSource | SessionStoreOptions, options: SessionStoreOptions = {}) {
    super()
    const {
      prefix = 'sessions',
      ttl,
      ...rest
    } = strictOptionsOf(source, options, 'DiskSessionStore', ['prefix', 'ttl'])
    this.#door = new Door(openCache(rest, 'DiskSessionStore'))
    this.#space = new Namespaced(this.#door, prefix)
    const given = hostTtl(ttl)
    this.#ttl = given === undefined ? DAY : given
  }

  /** The cache that holds the sessions. */
  get cache(): DiskCache {
    return this.#door.cache
  }

  /** Reads a session. Waits for locks and for writes under way, so that a slow disk logs nobody out. */
  override get(id: string, callback: (error: unknown, session?: SessionData | null) => void): void {
    const found = this.cache.getItem<SessionData>(this.#space.keyOf(id), PATIENT_READ)
    answer(found, callback, item => (item ? asTouched(item) : null))
  }

  /** Stores a session until its cookie expires, or for `ttl`. */
  override set(id: string, session: SessionData, callback?: SessionCallback): void {
    // express-session compares and sends the JSON of a session, including its cookie.
    const store = async (): Promise<void> => {
      const value: unknown = JSON.parse(JSON.stringify(session))
      await this.#space.set({ key: id, value, ttl: this.#ttlOf(session) })
    }
    answer(store(), callback)
  }

  /** Changes the expiry of a session to that of its cookie. */
  override touch(id: string, session: SessionData, callback?: SessionCallback): void {
    const key = this.#space.keyOf(id)
    const ttl = this.#ttlOf(session) ?? null
    answer(
      this.#door.heeding(key, () => this.cache.touch(key, { ttl })),
      callback,
    )
  }

  /** Removes a session. */
  override destroy(id: string, callback?: SessionCallback): void {
    answer(this.#space.delete(id), callback)
  }

  /** Reads all sessions, by their ids. */
  override all(callback: (error: unknown, sessions?: { [id: string]: SessionData } | null) => void): void {
    const collect = async (): Promise<{ [id: string]: SessionData }> => {
      const sessions: { [id: string]: SessionData } = Object.create(null)
      for await (const [id, session] of this.#space.entries<SessionData>()) sessions[id] = session
      return sessions
    }
    answer(collect(), callback, sessions => sessions)
  }

  /** Counts the sessions. */
  override length(callback: (error: unknown, length?: number) => void): void {
    const count = async (): Promise<number> => {
      let length = 0
      for await (const _id of this.#space.keys()) length++
      return length
    }
    answer(count(), callback, length => length)
  }

  /** Removes all sessions of this store. */
  override clear(callback?: SessionCallback): void {
    answer(this.#space.clear(), callback)
  }

  /** Ends its use of the cache, which the last user on a directory closes. A cache that was passed in stays open. */
  async disconnect(): Promise<void> {
    await this.#door.close()
  }

  #ttlOf({ cookie }: SessionData): number | null | undefined {
    const expires: unknown = cookie?.expires
    if (expires === null || expires === undefined || expires === false) return this.#ttl
    return ttlUntil(new Date(expires as Date | string).getTime())
  }
}

/** Sets the expiry of the cookie to that of the entry, since `touch` changes only the latter. */
function asTouched({ value, expiresAt }: Item<SessionData>): SessionData {
  const stored: unknown = value.cookie?.expires
  if (expiresAt === undefined || typeof stored !== 'string') return value
  // Storing takes a moment. Only a later expiry comes from `touch`.
  if (expiresAt - new Date(stored).getTime() < 1000) return value
  const expires: unknown = new Date(expiresAt).toISOString()
  return { ...value, cookie: { ...value.cookie, expires: expires as Date } }
}

/** Calls a callback outside of the promise, so that an error it throws does not count as a failure of the store. */
function answer<T, A>(
  promise: Promise<T>,
  callback?: (error: unknown, answer?: A) => void,
  convert?: (value: T) => A,
): void {
  promise.then(
    value => callback && nextTick(() => (convert ? callback(null, convert(value)) : callback(null))),
    (error: unknown) => callback && nextTick(() => callback(error)),
  )
}
