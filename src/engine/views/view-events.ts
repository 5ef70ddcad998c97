import { CACHE_EVENTS, type CacheEvents } from '../events.js'
import { checkEventName, kindOf } from '../option-names.js'
import type { Key } from '../options.js'
import type { NamespaceKeys } from './namespace-keys.js'

type Listener<E extends keyof CacheEvents> = (payload: CacheEvents[E]) => void

interface Emitter {
  on<E extends keyof CacheEvents>(event: E, listener: Listener<E>): unknown
  off<E extends keyof CacheEvents>(event: E, listener: Listener<E>): unknown
}

interface Passing {
  readonly event: keyof CacheEvents
  readonly listener: unknown
  /** Removes the listener. */
  stop(): void
}

/** The events of a cache as seen by a namespace: those of its keys, under its own names, and those without a key. */
export class ViewEvents {
  readonly #host: Emitter
  readonly #keys: NamespaceKeys
  readonly #passing: Passing[] = []

  constructor(host: Emitter, keys: NamespaceKeys) {
    this.#host = host
    this.#keys = keys
  }

  on<E extends keyof CacheEvents>(
    event: E,
    listener: Listener<E>,
    { once = false }: { readonly once?: boolean } = {},
  ): void {
    if (typeof listener !== 'function')
      throw new TypeError(`${event}: the listener must be a function, got ${kindOf(listener)}`)
    const pass: Listener<E> = payload => {
      const own = this.#own(payload)
      if (own === undefined) return
      if (once) this.#end(passing)
      listener(own)
    }
    const passing: Passing = { event, listener, stop: () => this.#host.off(event, pass) }
    this.#host.on(event, pass)
    this.#passing.push(passing)
  }

  off<E extends keyof CacheEvents>(event: E, listener: Listener<E>): void {
    checkEventName(event, CACHE_EVENTS)
    const passing = this.#passing.findLast(one => one.event === event && one.listener === listener)
    if (passing) this.#end(passing)
  }

  close(): void {
    for (const passing of [...this.#passing]) this.#end(passing)
  }

  #end(passing: Passing): void {
    passing.stop()
    const at = this.#passing.indexOf(passing)
    if (at >= 0) this.#passing.splice(at, 1)
  }

  #own<P extends CacheEvents[keyof CacheEvents]>(payload: P): P | undefined {
    if (payload instanceof Error || !('key' in payload)) return payload
    const key = payload.key as Key | undefined
    if (key === undefined) return payload
    return this.#keys.owns(key) ? { ...payload, key: this.#keys.decode(key) } : undefined
  }
}
