import type { Worker } from 'node:worker_threads'
import { clearTimeout, setTimeout } from '../timers.js'
import type { Copying, LogAnswer, LogOrder, RestOrder } from './copy-logs.js'
import { askToStop, discharge, enlist } from './leaving.js'
import { startThread } from './threads.js'
import type { WorkerOrder } from './worker-client.js'

/** After this time without an order the thread ends. Milliseconds. */
const IDLE_MILLISECONDS = 10_000

/** Who waits for a copy. */
interface Waiting {
  /** Called when all but a few pages are copied. What the caller writes from then on prolongs the copy. */
  readonly nearly: () => void
  readonly answered: (copying: Copying) => void
}

/** The thread of this process that copies logs. It keeps the process alive only while somebody waits for it. */
class LogThread {
  readonly #worker: Worker
  readonly #stop = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  readonly #waiting = new Map<number, Waiting>()
  #ids = 0
  #idle: NodeJS.Timeout | undefined

  constructor(onEnd: (failed: boolean) => void) {
    // It runs no statement yet.
    this.#stop[1] = 1
    const workerData: WorkerOrder = { task: { task: 'logs' }, stop: this.#stop, isWatched: false }
    this.#worker = startThread('maintenance-worker', { workerData, name: 'fanout-cache logs' })
    enlist(this.#stop)
    let failed = false
    this.#worker.on('message', (answer: LogAnswer) => this.#hear(answer))
    this.#worker.on('error', () => {
      failed = true
    })
    this.#worker.once('exit', () => {
      discharge(this.#stop)
      for (const { answered } of this.#waiting.values()) answered('failed')
      this.#waiting.clear()
      onEnd(failed)
    })
  }

  copy(order: Omit<LogOrder, 'id'>, nearly: () => void): Promise<Copying> {
    clearTimeout(this.#idle)
    const id = ++this.#ids
    this.#worker.ref()
    this.#worker.postMessage({ id, ...order } satisfies LogOrder)
    return new Promise(answered => this.#waiting.set(id, { nearly, answered }))
  }

  #hear({ id, copying }: LogAnswer): void {
    const waiting = this.#waiting.get(id)
    if (copying === 'nearly') {
      waiting?.nearly()
      this.#worker.postMessage({ id, rest: true } satisfies RestOrder)
      return
    }
    waiting?.answered(copying)
    this.#waiting.delete(id)
    if (this.#waiting.size > 0) return
    this.#worker.unref()
    this.#idle = setTimeout(() => {
      askToStop(this.#stop)
      void this.#worker.terminate()
    }, IDLE_MILLISECONDS).unref()
  }
}

let thread: LogThread | undefined
/** Whether this process can start no thread, as in a bundle without its file. Commits then copy the logs. */
let isUnable = false

/** Whether the thread of this process runs already. */
export function isThreadRunning(): boolean {
  return thread !== undefined
}

/**
 * Copies a log. When that fails, commits must copy it.
 *
 * @param nearly called when all but a few pages are copied
 */
export async function copyInThread(order: Omit<LogOrder, 'id'>, nearly: () => void): Promise<Copying> {
  if (isUnable) return 'failed'
  try {
    thread ??= new LogThread(failed => {
      thread = undefined
      isUnable ||= failed
    })
    return await thread.copy(order, nearly)
  } catch {
    isUnable = true
    return 'failed'
  }
}
