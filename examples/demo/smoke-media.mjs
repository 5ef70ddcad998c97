import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { catalogue, mediaKey } from './media.mjs'
import { isHit, seen } from './smoke-answers.mjs'

const NAME = 'ocean.webm'

/** A film: whole, in parts, and not at all. */
export async function checkMedia(server, report) {
  const path = `/media/${NAME}`
  const bytes = readFileSync(catalogue.get(NAME))
  await server.ask(path)
  const whole = await server.ask(path)
  report.check('streams a media file from the cache', isHit(whole) && whole.body.equals(bytes), seen(whole))
  await checkValueFile(server, report, bytes)

  const range = async (value, more) => await server.ask(path, { headers: { Range: value, ...more } })
  const part = await range('bytes=500000-500999')
  const partly = part.status === 206 && part.body.equals(bytes.subarray(500_000, 501_000))
  report.check('streams a range of it', partly, `${part.status}, ${part.headers['content-range']}`)
  const tail = await range('bytes=-100')
  report.check('streams its end', tail.status === 206 && tail.body.equals(bytes.subarray(-100)))
  const bad = await range('bytes=9000000-')
  const refused = bad.status === 416 && bad.headers['content-range'] === `bytes */${bytes.length}`
  report.check('refuses a range that is not in it', refused, `${bad.status}, ${bad.headers['content-range']}`)
  const malformed = await range('bytes=x')
  report.check('answers a malformed range with all of it', malformed.status === 200 && malformed.body.equals(bytes))

  const { etag } = whole.headers
  const same = await range('bytes=0-9', { 'If-Range': etag })
  const other = await range('bytes=0-9', { 'If-Range': '"another"' })
  report.check('heeds If-Range', same.status === 206 && other.status === 200 && other.body.length === bytes.length)
  const unchanged = await server.ask(path, { headers: { 'If-None-Match': etag } })
  report.check('answers 304 to who has it', unchanged.status === 304 && unchanged.body.length === 0, unchanged.cache)
  const head = await server.ask(path, { method: 'HEAD' })
  const length = Number(head.headers['content-length'])
  report.check('answers HEAD without the bytes', head.body.length === 0 && length === bytes.length, `${length} bytes`)
}

/** The bytes are where the listing says, in a file of their own. */
async function checkValueFile(server, report, bytes) {
  const { body } = await server.ask('/api/entries?prefix=media:')
  const entry = JSON.parse(body.toString()).entries.find(({ key }) => key === mediaKey(NAME))
  const file = entry?.path && readFileSync(join(server.directory, entry.path))
  report.check('keeps it in a value file', file !== undefined && bytes.equals(file), entry?.path)
}
