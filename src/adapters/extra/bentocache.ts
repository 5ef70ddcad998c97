import { removePrefix } from '../../engine/for-adapters.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'
import { hostTtl } from '../ttl.js'

export interface BentoDriverOptions extends DoorOptions {
  /** Entries lie below it. @default that of the BentoCache, which is 'bentocache' */
  readonly prefix?: string
}

/** What `useL2Layer` takes. */
export interface BentoDriver {
  readonly options: Record<string, unknown>
  readonly factory: (config: { readonly prefix?: string }) => DiskL2Driver
}

/**
 * The second layer of a bentocache, on disk, for all processes of the machine.
 *
 * @throws TypeError when no directory is named and for misspelt options, RangeError as the constructors of caches do
 * @example
 * const bento = new BentoCache({
 *   default: 'app',
 *   stores: { app: bentostore().useL1Layer(memoryDriver()).useL2Layer(diskDriver('/var/cache/app')) },
 * })
 */
export function diskDriver(source: CacheSource | BentoDriverOptions, given: BentoDriverOptions = {}): BentoDriver {
  const options = strictOptionsOf(source, given, 'diskDriver', ['prefix'])
  return {
    options: { ...options },
    factory: ({ prefix }) => {
      const { prefix: own, ...rest } = options
      const door = new Door(openCache(rest, 'diskDriver'))
      return new DiskL2Driver(door, new Namespaced(door, prefix ?? own ?? 'bentocache'), '')
    },
  }
}

/**
 * A driver as bentocache has it: an entry `key` of the namespace `users` is `users:key` to the driver that the namespace
 * came from, whose `clear` takes its namespaces along.
 */
export class DiskL2Driver {
  readonly type = 'l2' as const
  readonly #door: Door
  readonly #space: Namespaced
  readonly #path: string

  /** Made by `diskDriver`. */
  constructor(door: object, space: object, path: string) {
    this.#door = door as Door
    this.#space = space as Namespaced
    this.#path = path
  }

  namespace(name: string): DiskL2Driver {
    return new DiskL2Driver(this.#door, this.#space, `${this.#path}${name}:`)
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#space.get<string>(this.#keyOf(key)))?.value
  }

  /** Removes a value and answers it. */
  async pull(key: string): Promise<string | undefined> {
    const full = this.#space.keyOf(this.#keyOf(key))
    return this.#door.heeding(full, () => this.#door.cache.pop<string>(full))
  }

  /** @param ttl milliseconds */
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    await this.#space.set({ key: this.#keyOf(key), value, ttl: hostTtl(ttl) })
    return true
  }

  async delete(key: string): Promise<boolean> {
    return this.#space.delete(this.#keyOf(key))
  }

  async deleteMany(keys: readonly string[]): Promise<boolean> {
    await this.#space.deleteMany(keys.map(key => this.#keyOf(key)))
    return true
  }

  async clear(): Promise<void> {
    await removePrefix(this.#door.cache, this.#space.prefix + this.#path)
  }

  async disconnect(): Promise<void> {
    await this.#door.close()
  }

  #keyOf(key: string): string {
    return this.#path + key
  }
}
