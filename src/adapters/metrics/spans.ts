import { inspect } from 'node:util'
import {
  type Attributes,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { kindOf, surroundVerbs, type VerbCall } from '../../engine/for-metrics.js'
import { errorType, SCOPE, SYSTEM, type Watched } from './meter.js'

/** Verbs whose result is a value, or `undefined` for a miss. */
const READING = new Set([
  ...['get', 'getItem', 'info', 'read', 'pop', 'popItem', 'pull', 'peek', 'peekItem'],
  ...['popLeft', 'peekLeft', 'take', 'at'],
])
/** Verbs whose result is a lease, or `undefined` while others have the lock. */
const TRYING = /\.tryAcquire$/
/** Steps of requests, whose result is a word that says what came of them. */
const STEPS = /^(?:responseCache|sendFile)\.(?:lookup|store)$/

/** Creates a span for each call, which is the parent of spans within the call. Returns a function that ends that. */
export function traceCache(
  provider: TracerProvider,
  { counters, name, attributes }: Watched,
  { keys }: { readonly keys: boolean },
): () => void {
  const tracer = provider.getTracer(SCOPE)
  const own: Attributes = { ...attributes, 'db.system.name': SYSTEM, 'db.namespace': name }
  return surroundVerbs((call, run) => {
    if (call.directory !== counters.directory) return run()
    const key = keys && call.key !== undefined ? { 'fanout_cache.key': textOf(call.key) } : undefined
    const span = tracer.startSpan(`${call.verb} ${name}`, {
      kind: SpanKind.CLIENT,
      attributes: { ...own, 'db.operation.name': call.verb, ...key },
    })
    return context.with(trace.setSpan(context.active(), span), () => finish(span, call, keys, run))
  })
}

async function finish(span: Span, call: VerbCall, keys: boolean, run: () => Promise<unknown>): Promise<unknown> {
  const { verb } = call
  try {
    const answer = await run()
    if (READING.has(verb)) span.setAttribute('fanout_cache.hit', answer !== undefined)
    if (STEPS.test(verb)) span.setAttribute('fanout_cache.outcome', String(answer))
    if (TRYING.test(verb)) span.setAttribute('fanout_cache.outcome', answer === undefined ? 'missed' : 'acquired')
    return answer
  } catch (error) {
    const told = keys ? toError(error) : withoutKey(toError(error), call)
    span.setAttribute('error.type', errorType(error))
    span.recordException(told)
    span.setStatus({ code: SpanStatusCode.ERROR, message: told.message })
    throw error
  } finally {
    span.end()
  }
}

type Told = Pick<Error, 'name' | 'message' | 'stack'> & { readonly code?: string }

function toError(error: unknown): Told {
  return error instanceof Error ? error : { name: '_OTHER', message: String(error) }
}

/** What is told of an error whose message may name the key. */
function withoutKey(error: Told, { key, named = kindOf(key) }: VerbCall): Told {
  if (key === undefined) return error
  const pattern = new RegExp(`(?<!\\w)${named.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?!\\w)`, 'g')
  const { name, message, stack = '', code } = error
  const hidden = { name, message: message.replaceAll(pattern, '…'), stack: stack.replaceAll(pattern, '…') }
  return code === undefined ? hidden : { ...hidden, code }
}

function textOf(key: VerbCall['key']): string {
  if (typeof key === 'string') return key
  if (key instanceof Uint8Array) return Buffer.from(key).toString('hex')
  // `String` takes all objects for one, and the parts of an array for text.
  return inspect(key, {
    breakLength: Number.POSITIVE_INFINITY,
    depth: null,
    maxArrayLength: null,
    maxStringLength: null,
  })
}
