import { once } from 'node:events'
import { connect } from 'node:net'

const OK = Buffer.from('HTTP/1.1 200 ')
const END = Buffer.from('\r\n\r\nok')

/**
 * Clients on connections that stay open, each with one request under way. They speak to the socket themselves: the
 * client of node:http would need more of the machine than the server which is measured.
 */
export class HttpLoad {
  #sockets

  static async connect(port, connections) {
    const load = new HttpLoad()
    load.#sockets = await Promise.all(
      Array.from({ length: connections }, async () => {
        const socket = connect({ port, host: '127.0.0.1', noDelay: true })
        await once(socket, 'connect')
        return socket
      }),
    )
    return load
  }

  /** Sends one request for each path, the next one on a connection when its answer is there. */
  async run(paths, method = 'PUT') {
    let next = 0
    const take = () => (next < paths.length ? paths[next++] : undefined)
    await Promise.all(this.#sockets.map(socket => converse(socket, take, method)))
  }

  close() {
    for (const socket of this.#sockets) socket.destroy()
  }
}

function converse(socket, take, method) {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const listeners = {
      data: chunk => {
        received = received.length > 0 ? Buffer.concat([received, chunk]) : chunk
        if (!received.includes(END)) return
        const accepted = received.subarray(0, OK.length).equals(OK)
        received = Buffer.alloc(0)
        if (accepted) send()
        else end(() => reject(new Error('the server refused a set')))
      },
      error: error => end(() => reject(error)),
      close: () => end(() => reject(new Error('the server closed a connection'))),
    }
    const end = settle => {
      for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener)
      settle()
    }
    const send = () => {
      const path = take()
      if (path === undefined) end(resolve)
      else socket.write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`)
    }
    for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener)
    send()
  })
}
