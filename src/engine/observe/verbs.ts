import { oncePerProcess } from '../once-per-process.js'
import type { Key } from '../options.js'
import { type VerbTrace, verbChannel } from './channels.js'
import type { Counters } from './counters.js'

/** One call of a verb. */
export interface VerbCall {
  /** The real path of the directory of the cache. */
  readonly directory: string
  /** The name of the method or step, such as `get` or `Lock.acquire`. */
  readonly verb: string
  readonly key?: Key
  /** How errors name the key in their messages. Absent: as `kindOf` does. */
  readonly named?: string
}

/** Wraps the run of a verb, for example in a span. It must return what `run` returns. */
export type Around = (call: VerbCall, run: () => Promise<unknown>) => Promise<unknown>

interface Surroundings {
  list: readonly Around[]
}

const surroundings: Surroundings = oncePerProcess('verbs', () => ({ list: [] }))

/**
 * Wraps all verbs of the process in `around`, which gives them its async context. Returns a function that ends that.
 */
export function surroundVerbs(around: Around): () => void {
  surroundings.list = [...surroundings.list, around]
  return () => {
    surroundings.list = surroundings.list.filter(one => one !== around)
  }
}

/** Whether anybody traces verbs. */
export function isTraced(): boolean {
  return surroundings.list.length > 0 || verbChannel.hasSubscribers
}

/**
 * Runs a step of a verb or of a request, and reports it to those who trace. They hear what `outcomeOf` says of its
 * result, and not the result, which may be a thing of the engine.
 */
export function tracedStep<T>(
  about: { readonly counters: Counters },
  step: string,
  key: Key | undefined,
  run: () => Promise<T>,
  outcomeOf?: (result: T) => string,
): Promise<T> {
  if (!isTraced()) return run()
  const results: T[] = []
  const told = traced(about, step, key, async () => {
    const result = await run()
    results.push(result)
    return outcomeOf?.(result)
  })
  return told.then(() => results[0] as T)
}

/**
 * Reports a wait for what others do to those who trace, and returns it as it is: who waits must not hear of the end
 * later than others do, be it by a microtask, since what has come may be gone by then.
 */
export function tracedWait<T>(
  about: { readonly counters: Counters },
  step: string,
  key: Key | undefined,
  work: Promise<T>,
): Promise<T> {
  if (isTraced()) tracedStep(about, step, key, () => work).catch(() => undefined)
  return work
}

/** Runs a verb and reports it to those who trace. */
export function traced<T>(
  { counters }: { readonly counters: Counters },
  verb: string,
  key: Key | undefined,
  run: () => Promise<T>,
  named?: string,
): Promise<T> {
  if (!isTraced()) return run()
  const trace: VerbTrace = { directory: counters.directory, verb, ...(key === undefined ? undefined : { key }) }
  const call: VerbCall = named === undefined ? { ...trace } : { ...trace, named }
  let inner: () => Promise<unknown> = verbChannel.hasSubscribers
    ? () => verbChannel.tracePromise(run, trace) as Promise<T>
    : run
  for (const around of surroundings.list) {
    const next = inner
    inner = () => around(call, next)
  }
  try {
    return inner() as Promise<T>
  } catch (error) {
    return Promise.reject(error)
  }
}
