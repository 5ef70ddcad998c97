import { removePrefix } from '../../engine/for-adapters.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'
import { hostTtl } from '../ttl.js'

/** Options of `diskDriver`. */
export interface BentoDriverOptions extends DoorOptions {
  /** Prefix of the keys. @default that of the BentoCache, which is 'bentocache' */
  readonly prefix?: string | undefined
}

/** The driver that `useL2Layer` takes. */
export interface BentoDriver {
  /** The options it was made with, which bentocache hands on. */
  readonly options: Record<string, unknown>
  /** Opens the driver. Bentocache calls it. @throws as `diskDriver` does, for what shows only when the cache opens */
  readonly factory: (config: BentoConfig) => DiskL2Driver
}

/** The part of the configuration of bentocache that the driver reads. */
export interface BentoConfig {
  /** Prefix of the keys. */
  readonly prefix?: string
}

/**
 * Creates the second layer of a bentocache on disk, shared by all processes of the machine.
 *
 * @throws TypeError when no directory is given and for misspelt options; RangeError for values out of range
 * @example
 * const bento = new BentoCache({
 *   default: 'app',
 *   stores: { app: bentostore().useL1Layer(memoryDriver()).useL2Layer(diskDriver('/var/cache/app')) },
 * })
 */
export function diskDriver(source: CacheSource | BentoDriverOptions, given: BentoDriverOptions = {}): BentoDriver {
  const { prefix: own, ...rest } = strictOptionsOf(source, given, 'diskDriver', ['prefix'])
  return {
    // Bentocache puts them over its own prefix, an undefined one too.
    options: own === undefined ? rest : { ...rest, prefix: own },
    factory: ({ prefix }) => {
      const door = new Door(openCache(rest, 'diskDriver'))
      return new DiskL2Driver(door, new Namespaced(door, own ?? prefix ?? 'bentocache'), '')
    },
  }
}

/**
 * A driver of bentocache. The entry `key` of the namespace `users` is `users:key` for the driver that created the
 * namespace, and `clear` of that driver includes its namespaces.
 */
export class DiskL2Driver {
  /** The layer of the driver. */
  readonly type = 'l2' as const
  readonly #door: Door
  readonly #space: Namespaced
  readonly #path: string

  /** Use `diskDriver` instead. */
  constructor(door: object, space: object, path: string) {
    this.#door = door as Door
    this.#space = space as Namespaced
    this.#path = path
  }

  /** Returns a driver of a namespace inside this one. It has the same cache. */
  namespace(name: string): DiskL2Driver {
    return new DiskL2Driver(this.#door, this.#space, `${this.#path}${name}:`)
  }

  /** Reads the value of a key. `undefined`: there is none. */
  async get(key: string): Promise<string | undefined> {
    return (await this.#space.get<string>(this.#keyOf(key)))?.value
  }

  /** Removes a value and resolves to it. */
  async pull(key: string): Promise<string | undefined> {
    const full = this.#space.keyOf(this.#keyOf(key))
    return this.#door.heeding(full, () => this.#door.cache.pop<string>(full))
  }

  /** Stores a value. @param ttl milliseconds. Default: the cache's `defaultTtl` */
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    await this.#space.set({ key: this.#keyOf(key), value, ttl: hostTtl(ttl) })
    return true
  }

  /** Removes a key. Resolves to `false` when there was none. */
  async delete(key: string): Promise<boolean> {
    return this.#space.delete(this.#keyOf(key))
  }

  /** Removes several keys. Resolves to `true`. */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    await this.#space.deleteMany(keys.map(key => this.#keyOf(key)))
    return true
  }

  /** Removes the entries of this namespace and of those inside it. */
  async clear(): Promise<void> {
    await removePrefix(this.#door.cache, this.#space.prefix + this.#path)
  }

  /** Ends its use of the cache, which the last user on a directory closes. A cache that was passed in stays open. */
  async disconnect(): Promise<void> {
    await this.#door.close()
  }

  #keyOf(key: string): string {
    return this.#path + key
  }
}
