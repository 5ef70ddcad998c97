import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { toMilliseconds, toSeconds } from '../time.js'
import { sleep } from '../timers.js'
import { readPair, storePair } from './number-pair.js'
import { refuseEviction } from './refuse-eviction.js'

/** How much a bucket holds and how fast it fills. Times are milliseconds. */
export interface BucketRules {
  readonly key: EncodedKey
  /** Tokens of a full bucket. */
  readonly count: number
  /** The time in which an empty bucket fills. */
  readonly per: number
  /** When an unused row expires; `null`: never. */
  readonly ttl: number | null
  readonly allowEviction: boolean
  /** The name in messages. */
  readonly label: string
}

interface Taking {
  readonly granted: number
  /** Milliseconds until the next token is available. */
  readonly delay: number
}

interface Caller {
  readonly go: () => void
  readonly fail: (error: unknown) => void
}

/** The error that adding fractions may cause. Tokens. */
const ROUNDING = 1e-6
/** The longest pause between two attempts, after which a removed row or a changed clock is noticed. Milliseconds. */
const LONGEST_PAUSE = 1000

/**
 * A token bucket shared by all processes. It is stored as DiskCache's throttle stores it: the instant of the last
 * change in seconds and the number of tokens at that instant. Callers that find no token wait outside of the database
 * and leave nothing in it. The callers of one process are served in the order in which they came.
 */
export class TokenBucket {
  readonly #handle: CacheHandle
  readonly #rules: BucketRules
  readonly #line: Caller[] = []
  #serving = false

  constructor(handle: CacheHandle, rules: BucketRules) {
    this.#handle = handle
    this.#rules = rules
  }

  /** Resolves when a token was taken. */
  take(): Promise<void> {
    return this.#handle.ready(() => {
      return new Promise<void>((go, fail) => {
        this.#line.push({ go, fail })
        if (!this.#serving) void this.#serve()
      })
    })
  }

  async #serve(): Promise<void> {
    this.#serving = true
    while (this.#line.length > 0) {
      try {
        const { granted, delay } = await this.#ask()
        for (const { go } of this.#line.splice(0, granted)) go()
        if (this.#line.length > 0) await sleep(delay)
      } catch (error) {
        for (const { fail } of this.#line.splice(0)) fail(error)
      }
    }
    this.#serving = false
  }

  /** Asks for tokens, in one write for all callers that wait when it runs. */
  async #ask(): Promise<Taking> {
    this.#handle.assertWritable()
    const { key, allowEviction, label } = this.#rules
    // Throws when the cache was closed meanwhile: waiting callers do not reopen it.
    const shard = this.#handle.route(key)
    refuseEviction(shard, allowEviction, label)
    const run = (session: Session): Taking => takeTokens(session, this.#rules, this.#line.length)
    return shard.write({ run, identity: keyIdentity(key) }, { deadline: Number.POSITIVE_INFINITY })
  }
}

/** Takes as many tokens as are wanted and available. */
function takeTokens(session: Session, rules: BucketRules, wanted: number): Taking {
  const { key, count, per, ttl, label } = rules
  const instant = session.disk.now()
  const now = toMilliseconds(instant)
  const stored = readPair(session, key, instant, label)
  const last = stored ? toMilliseconds(stored[0]) : now
  // Rounding leaves a debt of less than a token. Nobody waits for a greater one, which nobody has made.
  const tally = stored ? Math.max(-1, stored[1]) : count
  // An instant further ahead than the time to fill was written before the clock was set back. Time continues from now.
  const since = last > now + per ? now : last
  const tokens = Math.min(count, tally + (Math.max(0, now - since) * count) / per)
  const granted = Math.min(wanted, Math.floor(tokens + ROUNDING))
  if (granted > 0 || since !== last) {
    const pair = [toSeconds(Math.max(since, now)), tokens - granted] as const
    storePair(session, key, pair, ttl === null ? null : toSeconds(now + ttl))
  }
  const missing = Math.max(0, 1 - (tokens - granted))
  const delay = (missing * per) / count + Math.max(0, since - now)
  return { granted, delay: Math.min(LONGEST_PAUSE, Math.ceil(delay)) }
}
