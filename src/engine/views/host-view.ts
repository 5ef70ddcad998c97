import type { CacheVerbs } from '../cache-verbs.js'
import type { DiskCache } from '../contract.js'
import type { CacheEvents } from '../events.js'
import type { Checking, Finding, Settings, SettingsChange, Waiting } from '../options.js'
import type { NamespaceKeys } from './namespace-keys.js'
import { ViewEvents } from './view-events.js'

/** The part of a view that it leaves to its host cache: verbs that concern the whole directory, and opening. */
export abstract class HostView
  implements
    Pick<DiskCache, 'directory' | 'cull' | 'check' | 'createTagIndex' | 'dropTagIndex' | 'settings' | 'configure'>
{
  readonly directory: string
  readonly #host: CacheVerbs
  readonly #events: ViewEvents

  /** @param host a CacheVerbs and `keys` a NamespaceKeys, typed `object` to keep internals out of the declarations */
  protected constructor(host: object, keys: object) {
    this.#host = host as CacheVerbs
    this.directory = this.#host.directory
    this.#events = new ViewEvents(this.#host, keys as NamespaceKeys)
  }

  /** Opens the host cache now, as its `open` does. */
  async open(): Promise<this> {
    await this.#host.open()
    return this
  }

  cull(options?: Waiting): Promise<number> {
    return this.#host.cull(options)
  }

  check(options?: Checking): Promise<Finding[]> {
    return this.#host.check(options)
  }

  createTagIndex(): Promise<void> {
    return this.#host.createTagIndex()
  }

  dropTagIndex(): Promise<void> {
    return this.#host.dropTagIndex()
  }

  settings(): Promise<Settings> {
    return this.#host.settings()
  }

  configure(settings: SettingsChange): Promise<Settings> {
    return this.#host.configure(settings)
  }

  /** Adds a listener for events of the keys of this view, and for those without a key. @throws TypeError as the cache */
  on<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this {
    this.#events.on(event, listener)
    return this
  }

  /** Adds a listener for the next such event only. @throws TypeError for an unknown event */
  once<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this {
    this.#events.on(event, listener, { once: true })
    return this
  }

  /** Removes a listener. @throws TypeError for an unknown event */
  off<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): this {
    this.#events.off(event, listener)
    return this
  }

  /** Removes the listeners of the view. The host cache stays open. */
  async close(): Promise<void> {
    this.#events.close()
  }

  /** Does what `close` does, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
