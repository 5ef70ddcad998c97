import { Worker, type WorkerOptions } from 'node:worker_threads'
import { DiskCacheError, StorageError } from '../errors.js'
import type { Finding } from '../options.js'
import type { Shard } from '../shards/shard.js'
import type { DatabaseFacts } from './examine.js'
import type { TaskProgress } from './task-control.js'
import type { Vacuumed } from './vacuum.js'

/** Where a database lies, and what leads to it from the directory of the cache: `''` or such as `003/`. */
export interface Place {
  readonly directory: string
  readonly prefix: string
}

/** What the worker thread is asked to do. Directories are those of shards; `timeout` is milliseconds for each lock. */
export type WorkerTask =
  | { readonly task: 'index'; readonly directory: string; readonly sql: string }
  | CheckTask
  | { readonly task: 'vacuum'; readonly shards: readonly Place[]; readonly timeout: number }
  /** Looks and changes nothing. `now`: epoch milliseconds. */
  | { readonly task: 'examine'; readonly places: readonly Place[]; readonly now: number; readonly timeout: number }
  /** Answers a finding when the database is damaged. */
  | { readonly task: 'inspect'; readonly directory: string }

export interface CheckTask {
  readonly task: 'check'
  readonly shards: readonly Place[]
  readonly fix: boolean
  readonly timeout: number
  /** A database that stays locked is a finding, and the others are looked at all the same. */
  readonly goesOn?: boolean
}

interface Results {
  readonly index: undefined
  readonly check: readonly Finding[]
  readonly vacuum: readonly (Vacuumed & Pick<Place, 'prefix'>)[]
  readonly examine: readonly DatabaseFacts[]
  readonly inspect: readonly Finding[]
}

/** What the thread is started with. */
export interface WorkerOrder {
  readonly task: WorkerTask
  /** Not 0 at the first place when it shall stop, and at the second when it has done with its databases. */
  readonly stop: Int32Array
  readonly isWatched: boolean
}

/** What it says: how far it is, and at the end an answer. */
export interface WorkerMessage {
  readonly progress?: TaskProgress
  readonly answer?: { readonly ok: true; readonly result: unknown } | Failure
}

interface Failure {
  readonly ok: false
  readonly message: string
  /** It was asked to stop. */
  readonly stopped: boolean
  /** The name of an error of this package. */
  readonly own: string | undefined
  readonly code: string | undefined
  readonly syscall: string | undefined
  readonly path: string | undefined
}

export interface TaskOptions {
  /** Stops the task between two of its steps: what it has done stays, and nothing is half done. */
  readonly signal?: AbortSignal | undefined
  /** Hears now and then how far it is. */
  readonly onProgress?: ((progress: TaskProgress) => void) | undefined
}

/**
 * Runs what takes seconds in a thread of its own, so that the loop goes on.
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

function askToStop(stop: Int32Array): void {
  Atomics.store(stop, 0, 1)
  Atomics.notify(stop, 0)
}

/** How long a process that exits waits for its threads to stop: they wait for locks in shorter slices. Milliseconds. */
const LEAVING_MILLISECONDS = 250

/** The flags of threads that work. */
const working = new Set<Int32Array>()

/**
 * A thread that is ended by the exit of its process while a statement of SQLite is about to fail takes the whole process
 * down (SIGABRT): the driver makes an error where no JavaScript runs any more. So it is asked to stop before.
 */
function leave(): void {
  const deadline = performance.now() + LEAVING_MILLISECONDS
  for (const stop of working) askToStop(stop)
  for (const stop of working) Atomics.wait(stop, 1, 0, Math.max(0, deadline - performance.now()))
}

function enlist(stop: Int32Array): void {
  if (working.size === 0) process.on('exit', leave)
  working.add(stop)
}

function discharge(stop: Int32Array): void {
  if (working.delete(stop) && working.size === 0) process.off('exit', leave)
}

/** A thread that could not be started, as without files that may be open, or that was ended. */
function threadError(message: string, cause?: Error): Error {
  const options = cause && { cause }
  return Object.assign(new Error(`the maintenance thread failed: ${message}`, options), { code: 'ERR_WORKER_FAILED' })
}

/** The error of the thread, as far as it can be told from another one. */
function errorOf({ message, own, code, syscall, path }: Failure): Error {
  if (own !== undefined) return Object.assign(new DiskCacheError(message), { name: own, code })
  return Object.assign(new Error(message), { code, ...(syscall !== undefined && { syscall }), ...(path && { path }) })
}

function answerOf(
  task: WorkerTask,
  stop: Int32Array,
  onProgress: TaskOptions['onProgress'],
): Promise<NonNullable<WorkerMessage['answer']>> {
  return new Promise((resolve, reject) => {
    const order: WorkerOrder = { task, stop, isWatched: onProgress !== undefined }
    const worker = startThread('maintenance-worker', { workerData: order })
    worker.on('message', ({ progress, answer }: WorkerMessage) => {
      if (progress) onProgress?.(progress)
      if (answer) resolve(answer)
    })
    enlist(stop)
    worker.once('error', error => reject(threadError(error.message, error)))
    worker.once('exit', code => {
      discharge(stop)
      reject(threadError(`it ended with ${code}`))
    })
  })
}

export async function runInWorker(shard: Shard, task: { task: 'index'; sql: string }): Promise<void> {
  try {
    await runTask({ ...task, directory: shard.directory })
  } catch (error) {
    throw new StorageError(shard.directory, 'creating an index failed', { cause: error })
  }
}

/** Starts a thread of this package. */
export function startThread(name: 'maintenance-worker' | 'upkeep-worker', options: WorkerOptions): Worker {
  return new Worker(workerUrl(name), { ...options, ...foreignFlags() })
}

/** A thread has the flags of its process; a script that was given as text has one with which no file can be run. */
function foreignFlags(): WorkerOptions {
  const { NODE_OPTIONS = '' } = process.env
  const flag = /(^|\s)--input-type[=\s]\S+/
  if (!flag.test(NODE_OPTIONS) && !process.execArgv.some(argument => argument.startsWith('--input-type'))) return {}
  return { execArgv: [], env: { ...process.env, NODE_OPTIONS: NODE_OPTIONS.replace(flag, '') } }
}

/** A worker is built beside this module, in the same format. */
function workerUrl(name: 'maintenance-worker' | 'upkeep-worker'): URL {
  const extension = /\.(mjs|cjs|js)$/.exec(import.meta.url)?.[1] ?? 'js'
  return new URL(`./${name}.${extension}`, import.meta.url)
}
