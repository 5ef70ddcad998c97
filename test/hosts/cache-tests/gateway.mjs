import { Agent, request } from 'node:http'

/** Fields that concern one connection (RFC 9110 §7.6.1), and `Expect`, which Node's server has answered. */
const OF_CONNECTION = new Set([
  ...['connection', 'expect', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te'],
  ...['trailer', 'transfer-encoding', 'upgrade'],
])

/**
 * A handler that hands each request on to the server at `host` and `port`, and its answer back: what a gateway is, for
 * a cache above it.
 */
export function gatewayTo({ host, port }) {
  const agent = new Agent({ keepAlive: true })
  return (req, res, next) => {
    const { method, originalUrl: path } = req
    let answer
    const passedOn = request({ agent, host, port, method, path, headers: endToEnd(req.rawHeaders) })
    passedOn.on('information', ({ statusCode, headers }) => {
      if (statusCode === 103) res.writeEarlyHints(headers)
      else if (statusCode === 102) res.writeProcessing()
    })
    passedOn.on('response', response => {
      answer = response
      res.writeHead(answer.statusCode, answer.statusMessage, endToEnd(answer.rawHeaders))
      // A body that breaks off has to break off for the client too, or it would be taken for the whole.
      answer.on('close', () => answer.complete || res.destroy())
      answer.pipe(res)
    })
    passedOn.on('error', error => {
      // What comes behind a whole answer is no part of it.
      if (answer?.complete) return
      if (res.headersSent) res.destroy()
      else next(Object.assign(error, { status: 502 }))
    })
    res.on('close', () => res.writableFinished || passedOn.destroy())
    req.pipe(passedOn)
  }
}

/** Names and values in turn, without those that are for one connection. */
function endToEnd(lines) {
  const isName = (_, at) => at % 2 === 0
  const values = lines.filter((_, at) => at % 2 === 1 && lines[at - 1].toLowerCase() === 'connection')
  const own = new Set(values.flatMap(value => value.split(',').map(name => name.trim().toLowerCase())))
  return lines.filter((line, at) => {
    const name = (isName(line, at) ? line : lines[at - 1]).toLowerCase()
    return !OF_CONNECTION.has(name) && !own.has(name)
  })
}
