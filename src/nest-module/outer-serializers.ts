import 'reflect-metadata'
import { ClassSerializerInterceptor, type ExecutionContext, type NestInterceptor, type Type } from '@nestjs/common'
import type { ModuleRef } from '@nestjs/core'
import { lastValueFrom, of } from 'rxjs'

type Interceptor = NestInterceptor | Type<NestInterceptor>

/** The metadata key of `@UseInterceptors`. */
const INTERCEPTORS = '__interceptors__'

/**
 * Serializes an answer as the `ClassSerializerInterceptor`s around our interceptor would. Answers are kept in that
 * form, because one from the cache has no classes any more that tell which properties to leave out.
 *
 * @param ours the class of our interceptor
 */
export async function serialized(
  value: unknown,
  context: ExecutionContext,
  ours: Type<NestInterceptor>,
  moduleRef: ModuleRef | undefined,
): Promise<unknown> {
  let seen = value
  for (const serializer of serializersAround(context, ours, moduleRef).reverse()) {
    seen = await lastValueFrom(await serializer.intercept(context, { handle: () => of(seen) }))
  }
  return seen
}

/** The serializers around our interceptor, the outermost first. */
function serializersAround(
  context: ExecutionContext,
  ours: Type<NestInterceptor>,
  moduleRef: ModuleRef | undefined,
): NestInterceptor[] {
  const forAll = globalOnes(moduleRef)
  const all: Interceptor[] = [...forAll, ...notedOn(context.getClass()), ...notedOn(context.getHandler())]
  const own = all.findIndex(one => isOf(ours, one))
  // Another interceptor may call ours, which is then still inside the global ones.
  const outer = all.slice(0, own < 0 ? forAll.length : own)
  const serializers = outer.filter(one => isOf(ClassSerializerInterceptor, one))
  return serializers.map(one => (typeof one === 'function' ? instanceOf(one, moduleRef) : one))
}

function notedOn(target: object): Interceptor[] {
  return Reflect.getMetadata(INTERCEPTORS, target) ?? []
}

/** The interceptors of `useGlobalInterceptors` and `APP_INTERCEPTOR`, which Nest does not expose otherwise. */
function globalOnes(moduleRef: ModuleRef | undefined): NestInterceptor[] {
  // The property is protected, so it is accessed with brackets.
  return moduleRef?.['container']?.applicationConfig?.getGlobalInterceptors?.() ?? []
}

function isOf(type: Type<NestInterceptor>, one: Interceptor): boolean {
  return typeof one === 'function' ? one === type || one.prototype instanceof type : one instanceof type
}

/** The instance of an interceptor. @throws when Nest has none */
function instanceOf(type: Type<NestInterceptor>, moduleRef: ModuleRef | undefined): NestInterceptor {
  if (!moduleRef) throw new TypeError(`${type.name} cannot be reached`)
  return moduleRef.get(type, { strict: false })
}
