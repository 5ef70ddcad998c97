import { pipeline } from 'node:stream/promises'

/**
 * Answers with a file that is open: whole, a range of it (RFC 9110 §14), or nothing but headers. Closes it.
 *
 * @param {import('express').Request} request
 * @param {import('express').Response} response
 * @param {import('fanout-cache').StoredFile} file
 */
export async function sendStoredFile(request, response, file) {
  const modified = new Date(file.storedAt).toUTCString()
  response.set({
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'no-cache',
    'Content-Type': file.meta?.type ?? 'application/octet-stream',
    ETag: file.meta?.etag,
    'Last-Modified': modified,
  })
  try {
    if (request.fresh) return response.status(304).end()
    const range = wantedRange(request, file.size, [file.meta?.etag, modified])
    if (range === 'none of it') return response.status(416).set('Content-Range', `bytes */${file.size}`).end()
    const { start, end } = range ?? { start: 0, end: file.size - 1 }
    if (range) response.status(206).set('Content-Range', `bytes ${start}-${end}/${file.size}`)
    response.set('Content-Length', String(end - start + 1))
    if (request.method === 'HEAD' || file.size === 0) return response.end()
    await pipeline(file.stream({ start, end }), response)
  } catch (error) {
    // A player that seeks leaves in the middle.
    if (error?.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  } finally {
    await file.close()
  }
}

/** The one range that is asked for; several at once, bad syntax and an outdated If-Range mean the whole file. */
function wantedRange(request, size, validators) {
  const condition = request.get('If-Range')
  if (request.method !== 'GET' || (condition !== undefined && !validators.includes(condition))) return undefined
  const ranges = request.range(size, { combine: true })
  if (ranges === -1) return 'none of it'
  if (!Array.isArray(ranges) || ranges.type !== 'bytes' || ranges.length !== 1) return undefined
  return ranges[0]
}
