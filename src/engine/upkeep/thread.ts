import type { Worker } from 'node:worker_threads'
import { startThread, threadFailure } from '../maintenance/threads.js'
import { clearTimeout, setTimeout } from '../timers.js'
import type { FromThread, ToThread, UpkeepRound, UpkeepTask } from './messages.js'

/** How long a thread may take to finish its work before it is terminated. Milliseconds. */
const ENDING_MILLISECONDS = 2000

export interface ThreadListener {
  heard(message: Exclude<FromThread, { readonly kind: 'round' }>): void
  worked(round: UpkeepRound): void
  /** Called when the thread has ended: on request, because the lease was lost, or with an error. */
  ended(error: Error | undefined): void
}

/** The upkeep thread as seen by its process. It keeps the process alive only while somebody waits for it. */
export class UpkeepThread {
  readonly #worker: Worker
  readonly #listener: ThreadListener
  readonly #waiting = new Map<number, (round: UpkeepRound | undefined) => void>()
  readonly #ended: Promise<void>
  #ids = 0
  #stopping = false

  constructor(task: UpkeepTask, listener: ThreadListener) {
    this.#listener = listener
    this.#worker = startThread('upkeep-worker', { workerData: task, name: 'fanout-cache upkeep' })
    this.#worker.unref()
    this.#worker.on('message', (message: FromThread) => this.#hear(message))
    this.#ended = new Promise(resolve => {
      let failure: Error | undefined
      this.#worker.on('error', error => {
        failure = threadFailure(error)
      })
      this.#worker.once('exit', code => {
        if (code !== 0 && !this.#stopping) failure ??= new Error(`its thread ended with ${code}`)
        for (const answer of this.#waiting.values()) answer(undefined)
        this.#waiting.clear()
        listener.ended(failure)
        resolve()
      })
    })
  }

  /** Runs a round, now or after the one under way. Resolves to `undefined` when it did not take place. */
  run(now: number | undefined): Promise<UpkeepRound | undefined> {
    return new Promise(resolve => {
      const id = ++this.#ids
      this.#waiting.set(id, resolve)
      this.#worker.ref()
      this.#post({ kind: 'run', id, now })
    })
  }

  tellTime(now: number): void {
    this.#post({ kind: 'time', now })
  }

  /** Ends the thread after its work under way. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#worker.ref()
    this.#post({ kind: 'stop' })
    const alarm = setTimeout(() => void this.#worker.terminate(), ENDING_MILLISECONDS)
    await this.#ended
    clearTimeout(alarm)
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  #hear(message: FromThread): void {
    if (message.kind !== 'round') return this.#listener.heard(message)
    if (message.round) this.#listener.worked(message.round)
    for (const id of message.ids) {
      this.#waiting.get(id)?.(message.round)
      this.#waiting.delete(id)
    }
    if (this.#waiting.size === 0) this.#worker.unref()
  }
}
