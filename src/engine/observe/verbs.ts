import { oncePerProcess } from '../once-per-process.js'
import type { Key } from '../options.js'
import { type VerbTrace, verbChannel } from './channels.js'
import type { Counters } from './counters.js'

/** One call of a verb. */
export interface VerbCall {
  /** The real path of the directory of the cache. */
  readonly directory: string
  readonly verb: string
  readonly key?: Key
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

/** Runs a verb and reports it to those who trace. */
export function traced<T>(
  { counters }: { readonly counters: Counters },
  verb: string,
  key: Key | undefined,
  run: () => Promise<T>,
): Promise<T> {
  if (!isTraced()) return run()
  const call: VerbCall = { directory: counters.directory, verb, ...(key === undefined ? undefined : { key }) }
  let inner: () => Promise<unknown> = verbChannel.hasSubscribers
    ? () => verbChannel.tracePromise(run, { ...call } as VerbTrace) as Promise<T>
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
