import { once } from 'node:events'
import { connect } from 'node:net'

const HEAD_END = '\r\n\r\n'

/** Clients that download one file again and again, each over a connection of its own, and throw the bytes away. */
export class Downloads {
  #sockets

  static async connect(port, connections) {
    const downloads = new Downloads()
    downloads.#sockets = await Promise.all(
      Array.from({ length: connections }, async () => {
        const socket = connect({ port, host: '127.0.0.1', noDelay: true })
        await once(socket, 'connect')
        return socket
      }),
    )
    return downloads
  }

  /** @param {number} count how often, by all of them together */
  async run(path, count) {
    let left = count
    const worker = async socket => {
      while (left-- > 0) await download(socket, path)
    }
    await Promise.all(this.#sockets.map(worker))
  }

  close() {
    for (const socket of this.#sockets) socket.destroy()
  }
}

function download(socket, path) {
  return new Promise((resolve, reject) => {
    let head = ''
    let left = -1
    const end = settle => {
      socket.off('data', take).off('close', fail)
      settle()
    }
    const fail = () => end(() => reject(new Error(`the server closed the connection: ${head.slice(0, 200)}`)))
    const take = chunk => {
      let bytes = chunk.length
      if (left < 0) {
        head += chunk.toString('latin1')
        const at = head.indexOf(HEAD_END)
        if (at < 0) return
        const length = /^content-length: (\d+)/im.exec(head)?.[1]
        if (!head.startsWith('HTTP/1.1 200 ') || !length) return fail()
        bytes = head.length - at - HEAD_END.length
        left = Number(length)
      }
      left -= bytes
      if (left <= 0) end(resolve)
    }
    socket.on('data', take).on('close', fail)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  })
}
