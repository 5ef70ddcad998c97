import { EventEmitter } from 'node:events'
import type { ValueIssue } from '../errors.js'
import { type CacheEvents, emitSafely } from '../events.js'
import type { Key } from '../options.js'

/** An entry that does not fit its model and is therefore a miss. */
export interface Misfit {
  /** The key in the cache of the model. */
  readonly key: Key
  /**
   * - `'version'`: another version stored it, and it cannot be migrated.
   * - `'schema'`: it violates the schema.
   * - `'migration'`: the result of `migrate` violates the schema, or `migrate` threw.
   */
  readonly reason: 'version' | 'schema' | 'migration'
  /** The version that stored it. Absent when no model did. */
  readonly fromVersion?: string | number
  /** What the schema found wrong with it. */
  readonly issues: readonly ValueIssue[]
  /** The error that `migrate` or the schema threw. */
  readonly error?: unknown
  /**
   * Whether it was removed. `getMany` and `entries` never remove it, nor does a read after somebody has replaced it.
   */
  readonly removed: boolean
}

/** The events of the cache of a model: those of its entries, and `invalid`. */
export interface ModelEvents extends CacheEvents {
  /** A stored entry did not fit the model, so that the read was a miss. */
  readonly invalid: Misfit
}

/** The payload of `invalid`. */
export function describeMisfit(
  { key, fromVersion, removed }: Pick<Misfit, 'key' | 'removed'> & { fromVersion: string | number | undefined },
  { reason, issues, error }: Pick<Misfit, 'reason' | 'issues' | 'error'>,
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
    emitSafely(this.#emitter, 'invalid', misfit)
  }
}
