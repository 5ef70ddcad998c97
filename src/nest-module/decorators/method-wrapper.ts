import 'reflect-metadata'
import { Inject } from '@nestjs/common'
import { getCacheHostToken } from '../cache.tokens.js'
import { type CacheHost, isCacheHost } from '../cache-host.js'

/** A method of a provider or controller. */
export type AnyMethod = (...args: never[]) => unknown

/** A method decorator for methods of one kind. */
export type MethodDecoratorFor<M extends AnyMethod> = <T extends M>(
  target: object,
  property: string | symbol,
  descriptor: TypedPropertyDescriptor<T>,
) => void

/** A call of a decorated method. */
export interface MethodCall {
  readonly host: CacheHost
  readonly args: readonly unknown[]
  /** Calls the original method. */
  readonly proceed: () => unknown
  /** Class and method, for messages. */
  readonly place: string
}

/**
 * Wraps a method. Nest injects the host of the cache into each instance of the class, as a property. In an instance
 * that Nest did not create, as in a unit test, the original method runs.
 */
export function wrapMethod<M extends AnyMethod>(
  decorator: string,
  cacheName: string | undefined,
  intercept: (call: MethodCall) => unknown,
): MethodDecoratorFor<M> {
  return (target: object, property: string | symbol, descriptor: PropertyDescriptor) => {
    const original = descriptor?.value as ((...args: unknown[]) => unknown) | undefined
    if (typeof original !== 'function' || typeof target === 'function') {
      throw new TypeError(`@${decorator} belongs on a method of a provider or controller, not on ${String(property)}`)
    }
    const slot = injectHost(target, cacheName)
    const wrapped = function (this: Record<symbol, CacheHost | undefined>, ...args: unknown[]): unknown {
      const host = this?.[slot]
      const proceed = (): unknown => original.apply(this, args)
      if (!isCacheHost(host)) return proceed()
      return intercept({ host, args, proceed, place: placeOf(this, target, property) })
    }
    imitate(wrapped, original)
    descriptor.value = wrapped
  }
}

/**
 * The class of an instance and the method, by which results are kept. A method that a subclass has replaced, and that is
 * called by `super`, has a place of its own.
 */
function placeOf(instance: object, target: object, property: string | symbol): string {
  const place = `${instance.constructor.name}.${String(property)}`
  let holder: object | null = Object.getPrototypeOf(instance)
  while (holder && holder !== target && !Object.hasOwn(holder, property)) holder = Object.getPrototypeOf(holder)
  return holder === target ? place : `${place} of ${target.constructor.name}`
}

/** Adds an injected property for a cache, one for all methods of a class that use it. */
function injectHost(target: object, cacheName: string | undefined): symbol {
  // Nest names the symbol in its error when nothing is registered.
  const options = cacheName === undefined ? '' : `{ name: '${cacheName}' }`
  const slot = Symbol.for(`CacheModule.register(${options}) of fanout-cache/nest`)
  const injected: { readonly key: unknown }[] =
    Reflect.getMetadata('self:properties_metadata', target.constructor) ?? []
  if (!injected.some(({ key }) => key === slot)) Inject(getCacheHostToken(cacheName))(target, slot)
  return slot
}

/** Copies the metadata of other decorators and the name, by which Nest finds the parameters of a handler. */
function imitate(wrapped: object, original: (...args: unknown[]) => unknown): void {
  for (const key of Reflect.getOwnMetadataKeys(original)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, original), wrapped)
  }
  Object.defineProperty(wrapped, 'name', { value: original.name, configurable: true })
  Object.defineProperty(wrapped, 'length', { value: original.length, configurable: true })
}
