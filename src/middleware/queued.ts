import type { Socket } from 'node:net'
import { type HttpRequest, type HttpResponse, onClose } from './http-message.js'

/** Responses that wait for those before them, by their connections. */
const queues = new WeakMap<Socket, Set<HttpResponse>>()

/**
 * Lets a response hear of the end of its connection while it waits for an earlier one of a pipeline: Node tells only the
 * one that is being sent, and who waits for the others to close would keep their files open for ever.
 */
export function hearOfEnd({ socket }: HttpRequest, response: HttpResponse): void {
  // It is being sent, or is none of node:http.
  if (response.socket !== null || response.destroyed) return
  if (socket.destroyed) return end(response)
  const queue = queues.get(socket) ?? watched(socket)
  queue.add(response)
  onClose(response, () => queue.delete(response))
}

/** One listener for all responses of a connection: a client may ask for hundreds at once. */
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

function end(response: HttpResponse): void {
  response.destroy()
  response.emit('close')
}
