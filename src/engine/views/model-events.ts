import { EventEmitter } from 'node:events'
import type { ValueIssue } from '../errors.js'
import type { CacheEvents } from '../events.js'
import type { Key } from '../options.js'

/** An entry that is there and does not fit its model, so that it is a miss. */
export interface Misfit {
  readonly key: Key
  /** Its version is another one and nothing migrates it; it fails the schema; or what `migrate` made of it does. */
  readonly reason: 'version' | 'schema' | 'migration'
  /** The version that stored it; absent where no model did. */
  readonly fromVersion?: string | number
  readonly issues: readonly ValueIssue[]
  /** What `migrate` or the schema has thrown. */
  readonly error?: unknown
  /** Whether it was removed: not by reads of many, nor when somebody has replaced it meanwhile. */
  readonly removed: boolean
}

/** What the cache of a model tells: the events of its entries, and `invalid`. */
export interface ModelEvents extends CacheEvents {
  readonly invalid: Misfit
}

/** The payload of `invalid`. */
export function describeMisfit(
  key: Key,
  fromVersion: string | number | undefined,
  { reason, issues, error }: Pick<Misfit, 'reason' | 'issues' | 'error'>,
  removed: boolean,
): Misfit {
  const told = { ...(fromVersion !== undefined && { fromVersion }), ...(error !== undefined && { error }) }
  return { key, reason, issues, removed, ...told }
}

type Listener = (misfit: Misfit) => void

/** The event `invalid`. */
export class InvalidEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0)

  on(listener: Listener): void {
    this.#emitter.on('invalid', listener)
  }

  once(listener: Listener): void {
    this.#emitter.once('invalid', listener)
  }

  off(listener: Listener): void {
    this.#emitter.off('invalid', listener)
  }

  emit(misfit: Misfit): void {
    try {
      this.#emitter.emit('invalid', misfit)
    } catch (error) {
      // A listener that throws does not turn a miss into an error; it surfaces as any uncaught error does.
      process.nextTick(() => {
        throw error
      })
    }
  }
}
