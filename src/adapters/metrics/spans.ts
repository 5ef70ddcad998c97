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
import { surroundVerbs, type VerbCall } from '../../engine/for-metrics.js'
import { errorType, SCOPE, SYSTEM, type Watched } from './meter.js'

/** Verbs whose result is a value, or `undefined` for a miss. */
const READING = new Set(['get', 'getItem', 'info', 'read', 'pop', 'popItem', 'pull', 'peek', 'peekItem'])

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
    return context.with(trace.setSpan(context.active(), span), () => finish(span, call, run))
  })
}

async function finish(span: Span, { verb }: VerbCall, run: () => Promise<unknown>): Promise<unknown> {
  try {
    const answer = await run()
    if (READING.has(verb)) span.setAttribute('fanout_cache.hit', answer !== undefined)
    return answer
  } catch (error) {
    span.setAttribute('error.type', errorType(error))
    span.recordException(error instanceof Error ? error : String(error))
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) })
    throw error
  } finally {
    span.end()
  }
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
