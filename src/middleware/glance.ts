import { ServerResponse } from 'node:http'
import type { Core } from './core.js'
import { type HttpRequest, type HttpResponse, linesOf } from './http-message.js'
import { chooseVariant } from './lookup.js'
import type { Fields } from './policy/message.js'
import type { Ready, ReadyAnswer } from './ready-answers.js'
import { FALLBACK_FIELD } from './send-file-accel.js'
import type { VariantList } from './stored-head.js'

const { write, end } = ServerResponse.prototype

/** Fields of a request that ask for more than what is there. */
const DEMANDING = new Set([
  ...['range', 'if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range'],
  ...['cache-control', 'pragma', 'authorization', 'upgrade', 'transfer-encoding', 'content-length'],
  FALLBACK_FIELD,
])

/** Answers at once what is small, fresh and asked for in the plainest way. */
export function glance(core: Core, req: HttpRequest, res: HttpResponse, key: string): boolean {
  const { headers } = req
  if (req.method !== 'GET') return false
  // A request has fewer fields than the set has names, and every hit comes this way.
  for (const name in headers) if (DEMANDING.has(name) && headers[name] !== undefined) return false
  const found = find(core, req, key)
  if (!found) return false
  const { at, answer } = found
  const { head, varies } = answer
  const now = core.store.now()
  if (now >= head.u) return false
  if (head.t === 1 && headers.cookie !== undefined && !core.settings.policy.ignoreCookies) return false
  // What others have put there is to be united with it.
  if (varies && res.hasHeader('Vary')) return false
  serve(res, answer, now, core.statusName)
  core.store.noteGlance(at, 'answer')
  if (at !== key) core.store.noteGlance(key, 'guide')
  return true
}

interface At {
  /** Its own key, or that of a variant. */
  readonly at: string
  readonly answer: ReadyAnswer
}

function find(core: Core, req: HttpRequest, key: string): At | undefined {
  const ready = readyAt(core, key)
  if (!ready?.variants) return ready?.answer && { at: key, answer: ready.answer }
  const variant = chosen(key, ready.variants, req)
  const answer = variant && readyAt(core, variant.k)?.answer
  return answer && answer.head.i === variant.i ? { at: variant.k, answer } : undefined
}

function readyAt({ store, ready }: Core, key: string): Ready | undefined {
  const glimpse = store.glance(key)
  if (!glimpse) return undefined
  glimpse.made ??= ready.of(key, glimpse.bytes)
  return glimpse.made as Ready | undefined
}

function chosen(key: string, list: VariantList, { headers }: HttpRequest): VariantList['variants'][number] | undefined {
  const names = new Set(list.variants.flatMap(({ n }) => n))
  // `Vary` may name what every object has, such as `constructor`.
  const fields = [...names].flatMap(name => (Object.hasOwn(headers, name) ? linesOf(name, headers[name]) : []))
  return chooseVariant(key, list, { fields }).variant
}

function serve(res: HttpResponse, { head, fields, text }: ReadyAnswer, now: number, name: string): void {
  for (let at = 0; at < fields.length; at++) {
    const line = fields[at] as Fields[number]
    res.setHeader(line[0], line[1])
  }
  res.setHeader('Age', String(Math.max(0, Math.floor((now - head.b) / 1000))))
  res.setHeader('Cache-Status', `${name}; hit; ttl=${Math.floor((head.u - now) / 1000)}`)
  res.statusCode = head.s
  endInOnePiece(res, text)
}

/**
 * Ends a response with a text that has been announced by its Content-Length. `end` alone has the socket gather head and
 * body with an empty last chunk, and pays for a list of chunks what a fourteenth of a small answer costs. Where somebody
 * has put a method of his own on the response, or gathers what the socket writes, `end` it is.
 */
function endInOnePiece(res: HttpResponse, text: string): void {
  const { socket } = res
  const isPlain = res.write === write && res.end === end
  if (!isPlain || text === '' || !socket || socket.writableCorked > 0) {
    res.end(text, 'latin1')
    return
  }
  res.write(text, 'latin1')
  socket.uncork()
  res.end()
}
