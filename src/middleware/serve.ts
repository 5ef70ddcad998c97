import type { Exchange } from './core.js'
import type { GrowingAnswer } from './growing-answer.js'
import { type HttpResponse, isGone } from './http-message.js'
import { type Found, openBody } from './lookup.js'
import { Outlet } from './outlet.js'
import { slotOf } from './parts.js'
import { appendCacheStatus, type CacheStatus } from './policy/cache-status.js'
import { evaluate, type Validators, validatorsOf } from './policy/conditional.js'
import { deleteField, fieldLines, fieldValue, setField } from './policy/fields.js'
import { ageField, currentAge } from './policy/freshness.js'
import type { Fields, RequestHead, ResponseHead } from './policy/message.js'
import { contentRange, rangesOf } from './policy/range.js'
import { OF_CONTENT } from './policy/refusal.js'
import { putHead, sendStored } from './send-stored.js'
import { toStored } from './stored-head.js'

export type Status = Omit<CacheStatus, 'name'>

/** Sends a stored answer. Resolves to `false` when its body has disappeared and nothing was sent. */
export async function serveFound(exchange: Exchange, found: Found, status: Status): Promise<boolean> {
  const { core, res, request } = exchange
  const { head } = found
  const body = found.body ?? found.file ?? (await openBody(core.store, found))
  if (!body) return false
  const aged = setField(head.f, 'Age', ageField(currentAge(toStored(head), core.store.now())))
  const fields = appendCacheStatus(aged, { ...status, name: core.settings.policy.name })
  const part = head.s === 206 ? slotOf(request, head) : undefined
  await sendStored(request, res, { status: head.s, fields, body, part })
  return true
}

/**
 * Sends an answer while it arrives from the handler. Resolves to `false` when it broke off before anything was sent.
 * When it breaks off later, the connection is cut.
 */
export async function serveGrowing(exchange: Exchange, answer: GrowingAnswer, status: Status): Promise<boolean> {
  const { core, res, request } = exchange
  const { stored, spool } = answer
  const aged = setField(stored.fields, 'Age', ageField(currentAge(stored, core.store.now())))
  const fields = appendCacheStatus(aged, { ...status, name: core.settings.policy.name })
  const { etag, lastModified, date } = validatorsOf(stored.fields)
  if (evaluate(request, { etag, lastModified, date, status: stored.status, now: core.store.now() }) === 304) {
    putHead(res, 304, withoutContent(fields))
    res.end()
    return true
  }
  if (request.method === 'HEAD') {
    putHead(res, stored.status, fields)
    res.end()
    return true
  }
  const body = spool.read()
  try {
    const first = await body.next().catch(() => undefined)
    if (!first) return false
    if (isGone(res)) return true
    const part = wholeAsPart(request, stored, { etag, lastModified, date })
    putHead(res, part ? 206 : stored.status, part ? [...fields, ...part] : fields)
    await pump(res, body, first)
    return true
  } finally {
    await body.return()
  }
}

/**
 * Further fields of the 206 with which a range of all bytes, such as `bytes=0-`, is answered while they arrive (RFC 9110
 * §15.3.7). `undefined` if the answer is a full one.
 */
export function wholeAsPart(
  request: RequestHead,
  { status, fields }: ResponseHead,
  validators: Validators,
): Fields | undefined {
  const [length = '', ...more] = fieldLines(fields, 'Content-Length')
  if (status !== 200 || more.length > 0 || !/^\d+$/.test(length) || fieldValue(fields, 'Accept-Ranges') === 'none') {
    return undefined
  }
  const size = Number(length)
  const range = rangesOf(request, { size, ...validators })
  if (range.kind !== 'single' || range.end - range.start + 1 !== size) return undefined
  // What is compressed on its way is no longer the range.
  return [
    ['Content-Range', contentRange(range, size)],
    ['Cache-Control', 'no-transform'],
  ]
}

async function pump(
  res: HttpResponse,
  body: AsyncGenerator<Buffer, void>,
  first: IteratorResult<Buffer, void>,
): Promise<void> {
  const outlet = new Outlet(res)
  try {
    for (let step = first; !step.done; step = await body.next()) {
      if (!(await outlet.write(step.value))) return
    }
    res.end()
  } catch {
    // The client must not take a part for the whole.
    res.destroy()
  }
}

/** Answers 504 to `only-if-cached` (RFC 9111 §5.2.1.7). It is neither a hit nor forwarded (RFC 9211 §2). */
export function serveTimeout({ core, res }: Exchange): void {
  const status = { name: core.settings.policy.name, detail: 'only-if-cached' }
  // Other caches must not store this answer.
  const fields: Fields = [
    ['Content-Length', '0'],
    ['Cache-Control', 'no-store'],
  ]
  putHead(res, 504, appendCacheStatus(fields, status))
  res.end()
}

/** The head of a 304, made from that of a full answer. */
export function notModified(fields: Fields): ResponseHead {
  return { status: 304, fields: withoutContent(fields) }
}

function withoutContent(fields: Fields): Fields {
  return deleteField(fields, ...OF_CONTENT, 'Transfer-Encoding', 'Trailer')
}
