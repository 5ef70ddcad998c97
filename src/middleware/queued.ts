import { OutgoingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { nextTick } from '../engine/timers.js'
import { type HttpRequest, type HttpResponse, onClose } from './http-message.js'

/** Pipelined responses that wait for earlier ones, by connection. */
const queues = new WeakMap<Socket, Set<HttpResponse>>()

/**
 * Closes a response that waits for an earlier one of a pipeline when their connection ends. Node before 24 closes only
 * the response that is being sent, so that the files of the others would stay open for ever.
 */
export function hearOfEnd({ socket }: HttpRequest, response: HttpResponse): void {
  // The response is being sent, or is not of node:http.
  if (response.socket !== null || response.destroyed) return
  if (socket.destroyed) return end(response)
  const queue = queues.get(socket) ?? watched(socket)
  queue.add(response)
  onClose(response, () => queue.delete(response))
}

/** Adds one listener for all responses of a connection, since a client may send hundreds of requests at once. */
function watched(socket: Socket): Set<HttpResponse> {
  const queue = new Set<HttpResponse>()
  queues.set(socket, queue)
  socket.once('close', () => {
    for (const response of queue) {
      if (response.socket === null && !response.writableFinished) end(response)
    }
  })
  return queue
}

/** Destroys a response, and emits the `close` that Node before 24 leaves out. */
function end(response: HttpResponse): void {
  let isClosed = false
  onClose(response, () => {
    isClosed = true
  })
  // Not by the method that a cache has put there: it answers in the place of a handler, and here is nobody to answer.
  OutgoingMessage.prototype.destroy.call(response)
  // Node 24 emits it in the next tick, whoever has destroyed the response.
  nextTick(() => {
    if (!isClosed) response.emit('close')
  })
}
