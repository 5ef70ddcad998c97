import { Socket } from 'node:net'
import { readCacheStatus } from './cache-status.mjs'

const TELLING_MILLISECONDS = 100

/** What one worker has answered from the cache and past it. The others hear of it. */
export class Counters {
  hits = 0
  stale = 0
  misses = 0
  /** Answers that the cache has had made again behind a stale one. */
  renewed = 0
  bytes = 0
  #tell
  #telling

  /** @param {(counters: object) => void} tell */
  constructor(tell) {
    this.#tell = tell
  }

  /** Counts an answer of the cache when it has been sent. */
  middleware = (request, response, next) => {
    const { socket } = request
    const before = socket.bytesWritten
    response.once('close', () => {
      const { state } = readCacheStatus(String(response.getHeader('Cache-Status') ?? ''))
      if (!response.headersSent || state === 'bypass') return
      // A request that the cache makes itself comes over no socket.
      if (!(socket instanceof Socket)) this.renewed += 1
      else if (state === 'miss') this.misses += 1
      else this[state === 'stale' ? 'stale' : 'hits'] += 1
      this.bytes += (socket.bytesWritten ?? 0) - (before ?? 0)
      this.#telling ??= setTimeout(() => this.#tellNow(), TELLING_MILLISECONDS)
    })
    next()
  }

  read() {
    const { hits, stale, misses, renewed, bytes } = this
    return { hits, stale, misses, renewed, bytes }
  }

  #tellNow() {
    this.#telling = undefined
    this.#tell(this.read())
  }
}
