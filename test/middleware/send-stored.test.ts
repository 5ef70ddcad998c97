import { truncateSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import compression from 'compression'
import { Cache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { requestHead } from '../../src/middleware/http-message.js'
import { putHead, type Sent, type StoredAnswer, sendStored } from '../../src/middleware/send-stored.js'
import { Gate } from '../helpers/gate.js'
import { openFiles } from '../helpers/open-files.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { ask, listen, partsOf } from './support/http.js'

const TEXT = 'abcdefghijklmnopqrstuvwxyz'
const MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT'
const EARLIER = 'Wed, 31 Dec 2025 00:00:00 GMT'
const FIELDS: StoredAnswer['fields'] = [
  ['Content-Type', 'text/plain'],
  ['ETag', '"tag"'],
  ['Last-Modified', MODIFIED],
  ['X-Word', 'one'],
  ['X-Word', 'two'],
]
const OF_FRESHNESS: StoredAnswer['fields'] = [
  ['Cache-Control', 'max-age=60'],
  ['CDN-Cache-Control', 'max-age=60'],
  ['Expires', MODIFIED],
  ['Age', '1'],
]

interface Storage {
  readonly name: string
  /** The body of one answer. */
  readonly body: (content: string | Buffer) => Promise<StoredAnswer['body']>
  readonly cache?: Cache
}

function storages(): [string, () => Storage][] {
  return [
    ['a file', () => storageIn(new Cache(temporaryDirectory()))],
    ['memory', () => ({ name: 'memory', body: async content => Buffer.from(content) })],
  ]
}

function storageIn(cache: Cache): Storage {
  const body = async (content: string | Buffer): Promise<StoredAnswer['body']> => {
    await cache.set('body', Buffer.from(content), { file: true })
    const file = await cache.read('body')
    if (!file) throw new Error('nothing was stored')
    return file
  }
  return { name: 'a file', body, cache }
}

/** A server that answers everything with one stored answer. */
async function serve(make: () => Promise<StoredAnswer>, before?: (response: ServerResponse) => void) {
  const sent: Sent[] = []
  const errors: unknown[] = []
  const done = new Gate()
  const { port } = await listen(async (request, response) => {
    before?.(response)
    try {
      sent.push(await sendStored(requestHead(request), response, await make()))
    } catch (error) {
      errors.push(error)
      response.statusCode = 500
      response.end(JSON.stringify(response.getHeaders()))
    }
    done.open()
  })
  return { port, sent, errors, done: done.opened }
}

describe.each(storages())('a stored answer in %s', (_name, storage) => {
  it.each([
    ['whole', {}, 200, TEXT, {}],
    ['a range', { Range: 'bytes=2-4' }, 206, 'cde', { 'content-range': 'bytes 2-4/26' }],
    ['a range without an end', { Range: 'bytes=23-' }, 206, 'xyz', { 'content-range': 'bytes 23-25/26' }],
    ['the last bytes', { Range: 'bytes=-2' }, 206, 'yz', { 'content-range': 'bytes 24-25/26' }],
    ['a range beyond the end', { Range: 'bytes=24-99' }, 206, 'yz', { 'content-range': 'bytes 24-25/26' }],
    ['nothing that there is', { Range: 'bytes=26-' }, 416, '', { 'content-range': 'bytes */26' }],
    ['a unit that there is not', { Range: 'lines=1-2' }, 200, TEXT, {}],
    ['a range of this version', { Range: 'bytes=0-0', 'If-Range': '"tag"' }, 206, 'a', {}],
    ['a range of another version', { Range: 'bytes=0-0', 'If-Range': '"other"' }, 200, TEXT, {}],
    ['a range of a weak version', { Range: 'bytes=0-0', 'If-Range': 'W/"tag"' }, 200, TEXT, {}],
    ['a range of this date', { Range: 'bytes=0-0', 'If-Range': MODIFIED }, 206, 'a', {}],
    ['a range of another date', { Range: 'bytes=0-0', 'If-Range': EARLIER }, 200, TEXT, {}],
    ['what it has', { 'If-None-Match': '"x", W/"tag"' }, 304, '', { etag: '"tag"' }],
    ['what has not changed since', { 'If-Modified-Since': MODIFIED }, 304, '', {}],
    ['what has changed since', { 'If-Modified-Since': EARLIER }, 200, TEXT, {}],
    ['another version, in spite of the date', { 'If-None-Match': '"x"', 'If-Modified-Since': MODIFIED }, 200, TEXT, {}],
    ['only this version', { 'If-Match': '"tag"' }, 200, TEXT, {}],
    ['only another version', { 'If-Match': '"x"' }, 412, '', {}],
    ['only an older one', { 'If-Unmodified-Since': EARLIER }, 412, '', {}],
    ['a range of another version only', { 'If-Match': '"x"', Range: 'bytes=0-0' }, 412, '', {}],
    ['a range of what it has', { 'If-None-Match': '"tag"', Range: 'bytes=0-0' }, 304, '', {}],
  ] as const)('answers who asks for %s', async (_what, headers, status, text, fields) => {
    const { body } = storage()
    const { port, sent, done } = await serve(async () => ({
      status: 200,
      fields: [...FIELDS, ...OF_FRESHNESS],
      body: await body(TEXT),
    }))
    const reply = await ask(port, '/', { headers })
    await done
    expect(reply).toMatchObject({ status, text, headers: fields })
    expect(sent).toEqual([{ status, complete: true }])
    expect(reply.headers['x-word']).toBe('one, two')
    if (status !== 304) expect(reply.headers['content-length']).toBe(String(text.length))
    expect(reply.headers['content-type']).toBe(status < 300 ? 'text/plain' : undefined)
    // The next cache shall not keep what is wrong with one request.
    expect(reply.headers['cache-control']).toMatch(status < 400 ? /^max-age=60/ : /^no-store$/)
    const ofFreshness = ['age', 'cdn-cache-control', 'expires']
    expect(ofFreshness.filter(name => name in reply.headers)).toEqual(status < 400 ? ofFreshness : [])
  })

  it('leaves out of a refusal what others have set of its freshness', async () => {
    const { body } = storage()
    const make = async (): Promise<StoredAnswer> => ({ status: 200, fields: FIELDS, body: await body(TEXT) })
    const { port } = await serve(make, response => {
      for (const [name, value] of OF_FRESHNESS) response.setHeader(name, value)
    })
    const refused: Record<string, string>[] = [{ Range: 'bytes=26-' }, { 'If-Match': '"x"' }]
    for (const asked of refused) {
      const { status, headers } = await ask(port, '/', { headers: asked })
      const left = OF_FRESHNESS.filter(([name]) => name.toLowerCase() in headers).map(([name]) => name)
      expect([status >= 400, left, headers['cache-control']]).toEqual([true, ['Cache-Control'], 'no-store'])
    }
  })

  it('sends HEAD as it sends GET, without the body and whatever the range', async () => {
    const { body } = storage()
    const { port } = await serve(async () => ({ status: 200, fields: FIELDS, body: await body(TEXT) }))
    const reply = await ask(port, '/', { method: 'HEAD', headers: { Range: 'bytes=0-1' } })
    expect(reply).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-length': '26', 'accept-ranges': 'bytes' },
    })
  })

  it('sends several ranges as parts, in the order of the request', async () => {
    const { body } = storage()
    const { port } = await serve(async () => ({ status: 200, fields: FIELDS, body: await body(TEXT) }))
    const reply = await ask(port, '/', { headers: { Range: 'bytes=20-21,0-2,-1' } })
    expect(reply.status).toBe(206)
    expect(reply.headers['content-length']).toBe(String(reply.body.byteLength))
    expect(partsOf(reply)).toEqual([
      { type: 'text/plain', range: 'bytes 20-21/26', bytes: 'uv' },
      { type: 'text/plain', range: 'bytes 0-2/26', bytes: 'abc' },
      { type: 'text/plain', range: 'bytes 25-25/26', bytes: 'z' },
    ])
  })

  it('sends an empty body', async () => {
    const { body } = storage()
    const { port } = await serve(async () => ({ status: 200, fields: FIELDS, body: await body('') }))
    expect(await ask(port, '/')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } })
    expect((await ask(port, '/', { headers: { Range: 'bytes=0-' } })).status).toBe(416)
  })

  it('heeds neither ranges nor conditions where the status is no success', async () => {
    const { body } = storage()
    const { port } = await serve(async () => ({ status: 404, fields: FIELDS, body: await body('none') }))
    const headers = { Range: 'bytes=0-0', 'If-None-Match': '"tag"', 'If-Match': '"x"' }
    expect(await ask(port, '/', { headers })).toMatchObject({ status: 404, text: 'none' })
  })

  it('sends parts of a type with a character beyond ASCII in the bytes that it has promised', async () => {
    const { body } = storage()
    const fields: StoredAnswer['fields'] = [['Content-Type', 'text/plain; title="\u00e9t\u00e9"']]
    const { port } = await serve(async () => ({ status: 200, fields, body: await body(TEXT) }))
    const reply = await ask(port, '/', { headers: { Range: 'bytes=0-0,5-6' } })
    expect(reply.headers['content-length']).toBe(String(reply.body.byteLength))
    expect(reply.body.toString('latin1')).toMatch(/title="\u00e9t\u00e9".*\r\n\r\na\r\n.*\r\n\r\nfg\r\n--/s)
  })

  it('sends many megabytes whole, and parts of them', async () => {
    const { body } = storage()
    const content = Buffer.alloc(5_000_000, TEXT)
    const { port } = await serve(async () => ({ status: 200, fields: FIELDS, body: await body(content) }))
    expect((await ask(port, '/')).body.equals(content)).toBe(true)
    const headers = { Range: 'bytes=1000000-2999999,4000000-4999999' }
    const parts = partsOf(await ask(port, '/', { headers }))
    expect(parts.map(({ bytes }) => bytes.length)).toEqual([2_000_000, 1_000_000])
    expect(parts[0]?.bytes === content.toString('latin1', 1_000_000, 3_000_000)).toBe(true)
  })
})

describe('a stored answer', () => {
  const plain = async (fields = FIELDS, status = 200): Promise<StoredAnswer> => ({
    status,
    fields,
    body: Buffer.from(TEXT),
  })

  it('keeps the fields that the response had, joins those of Vary and adds cookies', async () => {
    const fields: StoredAnswer['fields'] = [...FIELDS, ['Vary', 'Accept, origin'], ['Set-Cookie', 'b=2']]
    const { port } = await serve(
      () => plain(fields),
      response => {
        response.setHeader('X-Frame-Options', 'DENY')
        response.setHeader('X-Word', 'before')
        response.setHeader('Vary', 'Origin')
        response.setHeader('Set-Cookie', 'a=1')
      },
    )
    const { headers } = await ask(port, '/')
    expect(headers).toMatchObject({ 'x-frame-options': 'DENY', vary: 'Origin, Accept', 'set-cookie': ['a=1', 'b=2'] })
    expect(headers['x-word']).toBe('one, two')
  })

  it('has no field of a content that it does not send, whoever has set that', async () => {
    const { port } = await serve(
      () => plain(FIELDS),
      response => {
        response.setHeader('Content-Encoding', 'gzip')
        response.setHeader('Content-Language', 'en')
      },
    )
    const asked: Record<string, string>[] = [
      { 'If-None-Match': '"tag"' },
      { 'If-Match': '"x"' },
      { Range: 'bytes=26-' },
    ]
    for (const headers of asked) {
      const reply = await ask(port, '/', { headers })
      const left = ['content-encoding', 'content-language', 'content-type'].filter(name => name in reply.headers)
      expect([reply.status >= 300, left]).toEqual([true, []])
    }
  })

  it('has no body with 204', async () => {
    const { port } = await serve(async () => ({ status: 204, fields: [['X-A', 'b']], body: Buffer.from('no') }))
    const reply = await ask(port, '/')
    expect(reply).toMatchObject({ status: 204, text: '', headers: { 'x-a': 'b' } })
    expect(reply.headers['content-length']).toBeUndefined()
  })

  it('leaves the response as it was when a stored field is none', async () => {
    const { port, errors } = await serve(
      () =>
        plain([
          ['X-Good', 'yes'],
          ['X-Old', 'new'],
          ['X-Bad', 'a\r\nb'],
        ]),
      response => response.setHeader('X-Old', 'old'),
    )
    const reply = await ask(port, '/')
    expect(reply).toMatchObject({ status: 500, text: JSON.stringify({ 'x-old': 'old' }) })
    expect(errors).toMatchObject([{ code: 'ERR_INVALID_CHAR' }])
  })

  it('leaves the response as it was when the body cannot be read', async () => {
    const broken = { ...brokenFile(0), size: 10 }
    const { port, errors } = await serve(async () => ({ status: 200, fields: FIELDS, body: broken as never }))
    expect(await ask(port, '/')).toMatchObject({ status: 500, text: '{}' })
    expect(errors).toMatchObject([{ message: 'broken' }])
    expect(broken.closed()).toBe(true)
  })

  it('tells of no error when the body is closed because the client has gone', async () => {
    const opened = new Gate()
    const body = new Readable({ read: () => opened.open() })
    const { port, sent, errors, done } = await serve(
      async () => ({
        status: 200,
        fields: FIELDS,
        body: { size: 10, stream: () => body, close: async () => undefined },
      }),
      response => void response.on('close', () => body.destroy()),
    )
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    await opened.opened
    socket.destroy()
    await done
    expect([sent, errors]).toEqual([[{ status: 200, complete: false }], []])
  })

  it.each([10, undefined])('cuts the connection when a body of size %s cannot be read to its end', async size => {
    const received = new Gate()
    const broken = { ...brokenFile(3, received.opened), size }
    const { port, sent, errors, done } = await serve(async () => ({
      status: 200,
      fields: FIELDS,
      body: broken as never,
    }))
    const reply = await ask(port, '/', { onBytes: () => received.open() })
    await done
    expect(reply).toMatchObject({ status: 200, text: 'xxx', cut: true })
    expect(errors).toEqual([])
    expect(sent).toMatchObject([{ status: 200, complete: false, error: { message: 'broken' } }])
    expect(broken.closed()).toBe(true)
  })

  it('cuts the connection when the file became shorter than it was', async () => {
    const directory = temporaryDirectory()
    const { body, cache } = storageIn(new Cache(directory))
    const { port, sent, done } = await serve(async () => {
      const file = await body(Buffer.alloc(1000))
      truncateSync(join(directory, (await cache?.info('body'))?.path ?? ''), 100)
      return { status: 200, fields: FIELDS, body: file }
    })
    const reply = await ask(port, '/')
    await done
    expect(reply.cut).toBe(true)
    expect(sent).toMatchObject([{ complete: false }])
  })

  it('is not compressed on its way when it is a part', async () => {
    const compress = compression({ threshold: 0 })
    const { port } = await listen((request, response) => {
      compress(request as never, response as never, () => {
        void plain().then(answer => sendStored(requestHead(request), response, answer))
      })
    })
    const headers = { 'Accept-Encoding': 'gzip' }
    expect((await ask(port, '/', { headers })).headers['content-encoding']).toBe('gzip')
    const part = await ask(port, '/', { headers: { ...headers, Range: 'bytes=0-2' } })
    expect(part).toMatchObject({ status: 206, text: 'abc', headers: { 'cache-control': 'no-transform' } })
    expect(part.headers['content-encoding']).toBeUndefined()
  })

  it('is read to its end behind middleware that compresses', async () => {
    const compress = compression()
    const content = Buffer.alloc(3_000_000, TEXT)
    const { body } = storageIn(new Cache(temporaryDirectory()))
    const { port } = await listen((request, response) => {
      compress(request as never, response as never, async () => {
        await sendStored(requestHead(request), response, { status: 200, fields: FIELDS, body: await body(content) })
      })
    })
    const reply = await ask(port, '/', { headers: { 'Accept-Encoding': 'gzip' } })
    expect(reply).toMatchObject({ status: 200, cut: false, headers: { 'content-encoding': 'gzip' } })
    expect((await ask(port, '/')).body.equals(content)).toBe(true)
  })

  it.each([
    ['whole', ''],
    ['in parts', 'Range: bytes=0-9999999,20000000-39999999\r\n'],
  ])('closes its file when the client goes away: %s', async (_what, range) => {
    const directory = temporaryDirectory()
    const { body } = storageIn(new Cache(directory))
    const { port, sent, done } = await serve(async () => {
      return { status: 200, fields: FIELDS, body: await body(Buffer.alloc(50_000_000)) }
    })
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${range}\r\n`))
    // It reads a little and no more: the server has to wait for it.
    socket.once('data', () => {
      socket.pause()
      setImmediate(() => socket.destroy())
    })
    await done
    expect(sent).toMatchObject([{ complete: false }])
    await expect.poll(() => openFiles(directory)).toEqual([])
  })
})

describe('a body whose first bytes come late', () => {
  it('is given up when somebody else has answered meanwhile, as a time limit does', async () => {
    const source = new Readable({ read: () => undefined })
    const sent: Sent[] = []
    const done = new Gate()
    const { port } = await listen(async (request, response) => {
      const stream = (): Readable => {
        response.writeHead(503).end('too late')
        source.push(TEXT)
        return source
      }
      const body = { size: undefined, stream, close: async () => undefined }
      sent.push(await sendStored(requestHead(request), response, { status: 200, fields: FIELDS, body }))
      done.open()
    })
    expect(await ask(port, '/')).toMatchObject({ status: 503, text: 'too late' })
    await done.opened
    expect(sent).toMatchObject([{ complete: false }])
    expect(source.destroyed).toBe(true)
  })
})

describe('putHead', () => {
  it('takes `*` for all that Vary can name', async () => {
    const { port } = await listen((_request, response) => {
      response.setHeader('Vary', 'Accept')
      putHead(response, 203, [['Vary', '*']])
      response.end()
    })
    expect(await ask(port, '/')).toMatchObject({ status: 203, headers: { vary: '*' } })
  })

  it('says what is wrong with a response whose head has been sent', async () => {
    let wrong: unknown
    const { port } = await listen((_request, response) => {
      response.write('other')
      try {
        putHead(response, 200, [['Content-Type', 'text/plain']])
      } catch (error) {
        wrong = error
      }
      response.end()
    })
    await ask(port, '/')
    expect(String(wrong)).toContain('Cannot set headers after they are sent')
  })
})

/** A file that breaks after some bytes, and when they have arrived. */
function brokenFile(good: number, arrived?: Promise<void>) {
  let closed = false
  const stream = (): Readable =>
    Readable.from(
      (async function* () {
        if (good > 0) yield Buffer.alloc(good, 'x')
        await arrived
        throw new Error('broken')
      })(),
    )
  const close = async (): Promise<void> => {
    closed = true
  }
  return { stream, close, closed: () => closed }
}
