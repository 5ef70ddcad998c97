import type { Worker } from 'node:worker_threads'
import { clearTimeout, setTimeout } from '../timers.js'
import type { Copying, LogAnswer, LogMessage, LogOrder } from './copy-logs.js'
import { askToStop, discharge, enlist } from './leaving.js'
import { startThread } from './threads.js'
import type { WorkerOrder } from './worker-client.js'

/** After this time without an order the thread ends. Milliseconds. */
const IDLE_MILLISECONDS = 10_000

/** A copy that somebody waits for. */
interface Awaited {
  readonly order: LogOrder
  /** Called when all but a few pages are copied. What the caller writes from then on prolongs the copy. */
  readonly nearly: () => void
  readonly answered: (copying: Copying) => void
}

/** The thread of this process that copies logs. It keeps the process alive only while somebody waits for it. */
class LogThread {
  readonly #worker: Worker
  readonly #stop = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  /** The copy that is under way, and those after it: writes that wait for the end of one wait for no other. */
  readonly #line: Awaited[] = []
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
      for (const { answered } of this.#line.splice(0)) answered('failed')
      onEnd(failed)
    })
  }

  copy(order: LogOrder, nearly: () => void): Promise<Copying> {
    clearTimeout(this.#idle)
    return new Promise(answered => {
      this.#line.push({ order, nearly, answered })
      if (this.#line.length > 1) return
      this.#worker.ref()
      this.#send(order)
    })
  }

  #send(message: LogMessage): void {
    this.#worker.postMessage(message)
  }

  #hear(answer: LogAnswer): void {
    const [awaited] = this.#line
    if (answer === 'nearly') {
      awaited?.nearly()
      this.#send('rest')
      return
    }
    this.#line.shift()
    awaited?.answered(answer)
    const [next] = this.#line
    if (next) this.#send(next.order)
    else this.#rest()
  }

  #rest(): void {
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

/** Whether this process has never failed to start the thread. */
export function mayHaveThread(): boolean {
  return !isUnable
}

/**
 * Copies a log. When that fails, commits must copy it.
 *
 * @param nearly called when all but a few pages are copied
 */
export async function copyInThread(order: LogOrder, nearly: () => void): Promise<Copying> {
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
