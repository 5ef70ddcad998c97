import { Worker } from 'node:worker_threads'

/**
 * The search in a thread of its own, so that a question which takes half a second holds up nobody else. It is started
 * by the first question: a process that finds everything in the cache never loads the data.
 */
export class SearchThread {
  #thread
  #questions = new Map()
  #asked = 0

  search(query) {
    this.#thread ??= this.#start()
    return new Promise((resolve, reject) => {
      this.#asked += 1
      this.#questions.set(this.#asked, { resolve, reject })
      this.#thread.postMessage({ id: this.#asked, query })
    })
  }

  async close() {
    await this.#thread?.terminate()
  }

  #start() {
    const thread = new Worker(new URL('./search-thread.mjs', import.meta.url))
    thread.unref()
    thread.on('message', ({ id, found }) => {
      this.#questions.get(id)?.resolve(found)
      this.#questions.delete(id)
    })
    thread.on('error', error => this.#fail(error))
    thread.on('exit', () => this.#fail(new Error('the search was stopped')))
    return thread
  }

  #fail(error) {
    this.#thread = undefined
    for (const { reject } of this.#questions.values()) reject(error)
    this.#questions.clear()
  }
}
