import type { Worker } from 'node:worker_threads'
import { rebuildError } from '../errors.js'
import type { Finding } from '../options.js'
import type { DatabaseFacts } from './examine.js'
import { askToStop, discharge, enlist } from './leaving.js'
import type { TaskProgress } from './task-control.js'
import { startThread, threadFailure } from './threads.js'
import type { Vacuumed } from './vacuum.js'

/** The directory of a database and its path from the directory of the cache: `''`, or such as `003/`. */
export interface Place {
  readonly directory: string
  readonly prefix: string
}

/** The tasks of the worker thread. Directories are those of shards; `timeout` is milliseconds for each lock. */
export type WorkerTask =
  | { readonly task: 'index'; readonly directory: string; readonly sql: string }
  | CheckTask
  | { readonly task: 'vacuum'; readonly shards: readonly Place[]; readonly timeout: number }
  /** Examines without changing anything. `now`: epoch milliseconds. */
  | { readonly task: 'examine'; readonly places: readonly Place[]; readonly now: number; readonly timeout: number }
  /** Returns a finding when the database is damaged. */
  | { readonly task: 'inspect'; readonly directory: string }
  /** Copies logs to their databases, in the order of messages. It does not end by itself. */
  | { readonly task: 'logs' }

export interface CheckTask {
  readonly task: 'check'
  readonly shards: readonly Place[]
  readonly fix: boolean
  readonly timeout: number
  /** Whether a database that stays locked is a finding, and the others are checked all the same. */
  readonly goesOn?: boolean
}

interface Results {
  readonly index: undefined
  readonly check: readonly Finding[]
  readonly vacuum: readonly (Vacuumed & Pick<Place, 'prefix'>)[]
  readonly examine: readonly DatabaseFacts[]
  readonly inspect: readonly Finding[]
  readonly logs: never
}

/** The data with which the thread is started. */
export interface WorkerOrder {
  readonly task: WorkerTask
  /** Flags. The first is set to stop the thread; the thread sets the second when it has closed its databases. */
  readonly stop: Int32Array
  readonly isWatched: boolean
}

/** The messages of the thread: its progress, and at the end its result. */
export interface WorkerMessage {
  readonly progress?: TaskProgress
  readonly answer?: { readonly ok: true; readonly result: unknown } | Failure
}

interface Failure {
  readonly ok: false
  readonly message: string
  /** Whether the thread was asked to stop. */
  readonly stopped: boolean
  /** The name of an error of this package. */
  readonly own: string | undefined
  readonly code: string | undefined
  readonly syscall: string | undefined
  readonly path: string | undefined
}

export interface TaskOptions {
  /** Stops the task between two steps. Finished steps stay, and no step is left incomplete. */
  readonly signal?: AbortSignal | undefined
  /** Called now and then with the progress. */
  readonly onProgress?: ((progress: TaskProgress) => void) | undefined
}

/**
 * Runs a task that takes seconds in a thread of its own, so that it does not block the event loop.
 *
 * @throws the reason of the signal, when it stopped the task
 */
export async function runTask<T extends WorkerTask>(task: T, options: TaskOptions = {}): Promise<Results[T['task']]> {
  const { signal } = options
  signal?.throwIfAborted()
  const stop = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  const onAbort = (): void => askToStop(stop)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const answer = await answerOf(task, stop, options.onProgress)
    if (answer.ok) return answer.result as Results[T['task']]
    if (answer.stopped) throw signal?.reason
    throw errorOf(answer)
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

function started(order: WorkerOrder): Worker {
  try {
    return startThread('maintenance-worker', { workerData: order })
  } catch (error) {
    throw threadErrorOf(error)
  }
}

function threadErrorOf(error: unknown): Error {
  const failure = threadFailure(error)
  return threadError(failure.message, failure)
}

/** The error of a thread that could not be started, for example for lack of file descriptors, or was terminated. */
function threadError(message: string, cause?: Error): Error {
  const options = cause && { cause }
  return Object.assign(new Error(`the maintenance thread failed: ${message}`, options), { code: 'ERR_WORKER_FAILED' })
}

/** Rebuilds an error of the thread. */
function errorOf({ message, own, code, syscall, path }: Failure): Error {
  if (own !== undefined) return rebuildError(own, message, code)
  return Object.assign(new Error(message), { code, ...(syscall !== undefined && { syscall }), ...(path && { path }) })
}

function answerOf(
  task: WorkerTask,
  stop: Int32Array,
  onProgress: TaskOptions['onProgress'],
): Promise<NonNullable<WorkerMessage['answer']>> {
  return new Promise((resolve, reject) => {
    const order: WorkerOrder = { task, stop, isWatched: onProgress !== undefined }
    const worker = started(order)
    worker.on('message', ({ progress, answer }: WorkerMessage) => {
      if (progress) onProgress?.(progress)
      if (answer) resolve(answer)
    })
    enlist(stop)
    worker.once('error', error => reject(threadErrorOf(error)))
    worker.once('exit', code => {
      discharge(stop)
      reject(threadError(`it ended with ${code}`))
    })
  })
}
