import 'reflect-metadata'
import { ClassSerializerInterceptor, type ExecutionContext, type NestInterceptor, type Type } from '@nestjs/common'
import type { ModuleRef } from '@nestjs/core'
import { lastValueFrom, of } from 'rxjs'

type Interceptor = NestInterceptor | Type<NestInterceptor>

/** By which Nest notes what `@UseInterceptors` says. */
const INTERCEPTORS = '__interceptors__'

/**
 * What an answer becomes in those `ClassSerializerInterceptor`s that see it after an interceptor of ours. What is kept has
 * to be that: an answer that comes from the cache has no classes any more by which they could tell what to leave out.
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

/** The outer ones first. */
function serializersAround(
  context: ExecutionContext,
  ours: Type<NestInterceptor>,
  moduleRef: ModuleRef | undefined,
): NestInterceptor[] {
  const forAll = globalOnes(moduleRef)
  const all: Interceptor[] = [...forAll, ...notedOn(context.getClass()), ...notedOn(context.getHandler())]
  const own = all.findIndex(one => isOf(ours, one))
  // Another interceptor may call ours: that is still inside of those for all.
  const outer = all.slice(0, own < 0 ? forAll.length : own)
  const serializers = outer.filter(one => isOf(ClassSerializerInterceptor, one))
  return serializers.map(one => (typeof one === 'function' ? instanceOf(one, moduleRef) : one))
}

function notedOn(target: object): Interceptor[] {
  return Reflect.getMetadata(INTERCEPTORS, target) ?? []
}

/** Those of `useGlobalInterceptors` and `APP_INTERCEPTOR`: Nest has no other way to them. */
function globalOnes(moduleRef: ModuleRef | undefined): NestInterceptor[] {
  // It is protected: only a name in brackets reaches it.
  return moduleRef?.['container']?.applicationConfig?.getGlobalInterceptors?.() ?? []
}

function isOf(type: Type<NestInterceptor>, one: Interceptor): boolean {
  return typeof one === 'function' ? one === type || one.prototype instanceof type : one instanceof type
}

/** @throws when Nest has none */
function instanceOf(type: Type<NestInterceptor>, moduleRef: ModuleRef | undefined): NestInterceptor {
  if (!moduleRef) throw new TypeError(`${type.name} cannot be reached`)
  return moduleRef.get(type, { strict: false })
}
