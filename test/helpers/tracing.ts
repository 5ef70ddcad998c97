import { AsyncLocalStorage } from 'node:async_hooks'
import { type Context, type ContextManager, context, ROOT_CONTEXT } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll } from 'vitest'

/** The contexts of OpenTelemetry, as its packages for Node keep them. */
class Contexts implements ContextManager {
  readonly #store = new AsyncLocalStorage<Context>()

  active(): Context {
    return this.#store.getStore() ?? ROOT_CONTEXT
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#store.run(active, () => fn.apply(self, args))
  }

  bind<T>(_context: Context, target: T): T {
    return target
  }

  enable(): this {
    return this
  }

  disable(): this {
    return this
  }
}

/** Lets spans find their parents, in all tests of a file. */
export function followContexts(): void {
  beforeAll(() => void context.setGlobalContextManager(new Contexts()))
  afterAll(() => context.disable())
}

/** A provider of tracers, and what it has heard of: `spans` as they ended, `tree` by name, each below its parent. */
export function tracing() {
  const exporter = new InMemorySpanExporter()
  const begun: ReadableSpan[] = []
  const noting: SpanProcessor = {
    onStart: span => void begun.push(span),
    onEnd: () => undefined,
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  }
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter), noting] })
  const spans = (): ReadableSpan[] => exporter.getFinishedSpans()
  const tree = (): string[] => branches(begun, undefined, '')
  return { tracerProvider, tracer: tracerProvider.getTracer('app'), spans, tree }
}

/** The spans below a parent, in the order in which they began, indented. */
function branches(begun: readonly ReadableSpan[], parent: string | undefined, indent: string): string[] {
  return begun
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent)
    .flatMap(span => [indent + span.name, ...branches(begun, span.spanContext().spanId, `${indent}  `)])
}
