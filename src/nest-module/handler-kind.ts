import 'reflect-metadata'
import type { ExecutionContext } from '@nestjs/common'

/** The numbers of `@Res()` and `@Next()` in Nest's metadata of parameters. */
const RESPONSE_PARAMETERS = new Set(['1', '2'])

const known = new WeakMap<object, boolean>()

/**
 * Whether a handler of HTTP answers by itself, through `@Res()` or `@Next()` without `passthrough`, or with server-sent
 * events. Such an answer can be neither kept nor replaced.
 */
export function answersByItself(context: ExecutionContext): boolean {
  const handler = context.getHandler()
  const noted = known.get(handler)
  if (noted !== undefined) return noted
  const found = isEventStream(handler) || takesResponse(context.getClass(), handler.name)
  known.set(handler, found)
  return found
}

function isEventStream(handler: object): boolean {
  return Boolean(Reflect.getMetadata('__sse__', handler))
}

function takesResponse(type: object, method: string): boolean {
  if (Reflect.getMetadata('__responsePassthrough__', type, method)) return false
  const parameters: unknown = Reflect.getMetadata('__routeArguments__', type, method)
  return Object.keys((parameters ?? {}) as object).some(name => RESPONSE_PARAMETERS.has(name.split(':')[0] ?? ''))
}
