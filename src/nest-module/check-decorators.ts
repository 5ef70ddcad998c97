import 'reflect-metadata'
import type { ModulesContainer } from '@nestjs/core'
import { hintFor } from '../engine/option-names.js'
import { CACHE_NAME_METADATA, CACHE_TTL_METADATA, CACHEABLE_BY_NAME_METADATA } from './cache.constants.js'
import { getCacheHostToken } from './cache.tokens.js'
import { lifeOf } from './cache-life.js'

type Class = abstract new (...args: never[]) => unknown

/** The results by app, so that only one of its registrations checks. */
const known = new WeakMap<ModulesContainer, { readonly fault: unknown }>()

/**
 * Checks the metadata of decorators on the classes of an app and on their methods, without creating instances. It
 * includes the decorators of `@nestjs/cache-manager`, which check nothing.
 *
 * @throws TypeError for the name of an unregistered cache, and for classes of one name whose results would be mixed up;
 *   TypeError or RangeError for a wrong time to live
 */
export function checkDecorators(modules: ModulesContainer): void {
  const found = known.get(modules) ?? { fault: faultIn(modules) }
  known.set(modules, found)
  if (found.fault !== undefined) throw found.fault
}

/** The names of the caches that an app has registered in any module. */
export function namesIn(modules: ModulesContainer): Set<string> {
  const prefix = getCacheHostToken('')
  const tokens = [...modules.values()].flatMap(module => [...module.providers.keys()])
  const ours = tokens.filter((token): token is string => typeof token === 'string' && token.startsWith(prefix))
  return new Set(ours.map(token => token.slice(prefix.length)))
}

function faultIn(modules: ModulesContainer): unknown {
  const names = namesIn(modules)
  const owners = new Map<string, Class>()
  try {
    for (const type of classesIn(modules)) {
      checkNotes(type, type.name, names)
      for (const [method, name] of methodsOf(type)) {
        checkNotes(method, `${type.name}.${name}`, names)
        checkOwner(method, `${type.name}.${name}`, { type, owners })
      }
    }
  } catch (fault) {
    return fault
  }
  return undefined
}

/** All classes that may have handlers: controllers, gateways, resolvers. The results of factories are not known yet. */
function classesIn(modules: ModulesContainer): Set<Class> {
  const wrappers = [...modules.values()].flatMap(module => [
    ...module.controllers.values(),
    ...module.providers.values(),
  ])
  const types = wrappers.filter(({ inject }) => !inject).map(({ metatype }) => metatype)
  return new Set(types.filter((type): type is typeof type & Class => typeof type === 'function' && !!type.prototype))
}

function* methodsOf({ prototype }: Class): Generator<[method: object, name: string]> {
  const seen = new Set<string | symbol>(['constructor'])
  for (let place = prototype; place && place !== Object.prototype; place = Object.getPrototypeOf(place)) {
    for (const name of Reflect.ownKeys(place)) {
      if (seen.has(name)) continue
      seen.add(name)
      const method: unknown = Object.getOwnPropertyDescriptor(place, name)?.value
      if (typeof method === 'function') yield [method, String(name)]
    }
  }
}

function checkNotes(target: object, place: string, names: ReadonlySet<string>): void {
  const ttl: unknown = Reflect.getMetadata(CACHE_TTL_METADATA, target)
  if (typeof ttl !== 'function') lifeOf(ttl, `@CacheTTL of ${place}`)
  const name: unknown = Reflect.getMetadata(CACHE_NAME_METADATA, target)
  if (name === undefined || names.has(name as string)) return
  const hint = names.size > 0 ? `; ${hintFor(String(name), names)}` : ''
  throw new TypeError(
    `@CacheName('${name}') of ${place}: no cache has this name${hint}. Names are given to caches by ` +
      `CacheModule.register({ name: '${name}', directory: '/var/cache/${name}' })`,
  )
}

/** Refuses two classes of one name whose `@Cacheable` methods without a key would answer for each other. */
function checkOwner(
  method: object,
  place: string,
  { type, owners }: { readonly type: Class; readonly owners: Map<string, Class> },
): void {
  const cache: unknown = Reflect.getMetadata(CACHEABLE_BY_NAME_METADATA, method)
  if (cache === undefined) return
  const key = `${place}\n${cache}`
  if ((owners.get(key) ?? type) !== type) {
    throw new TypeError(
      `@Cacheable of ${place}: two classes have this name, and each would get the answers of the other: ` +
        `tell them apart with a key, as in key: (...args) => \`users:\${keyOf(...args)}\``,
    )
  }
  owners.set(key, type)
}
