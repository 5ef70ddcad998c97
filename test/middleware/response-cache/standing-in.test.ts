import { createHash } from 'node:crypto'
import { truncateSync } from 'node:fs'
import { extname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import compression from 'compression'
import type { Express, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { valueFiles } from '../../helpers/value-files.js'
import { settled, site, statusOf } from './support/app.js'

const STALE = /^fwd=stale;( fwd-status=500;)? detail=stale-if-error$/
/** Long enough that a handler can do something while it is sent. */
const LONG = 'long answer '.repeat(1_000_000)

const digest = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')

/** What handlers do with a response that they have lost to a stale answer. */
const LATE: Record<string, (res: Response) => unknown> = {
  'writes and ends': async res => {
    res.destroy()
    for (let at = 0; at < 40; at++) {
      await delay(1)
      res.write('late')
    }
    res.end('late')
  },
  'ends twice': async res => {
    res.status(500).send('an error')
    res.end('late')
    for (let at = 0; at < 20; at++) {
      await delay(1)
      res.end('late')
    }
  },
  'destroys it again': async res => {
    res.destroy()
    for (let at = 0; at < 20; at++) {
      await delay(1)
      res.destroy(new Error('late'))
    }
  },
  'writes another head': async res => {
    res.destroy()
    res.flushHeaders()
    res.writeHead(500, { 'X-Late': '1' })
    await delay(1)
    if (!res.headersSent) res.writeHead(500)
    res.end('late')
  },
}

/** Writes an error page some turns after it has lost its response. */
for (const turns of [0, 1, 2, 3, 6]) {
  LATE[`writes an error page ${turns} turns later`] = async res => {
    res.destroy()
    for (let turn = 0; turn < turns; turn++) await new Promise(resolve => setImmediate(resolve))
    res.status(500).set('X-Late', '1').type('html').append('X-Late', '2').send('an error')
  }
}

/** What may stand around the handler. */
const AROUND: Record<string, { above?: (app: Express) => void; below?: (app: Express) => void }> = {
  nothing: {},
  'compression above': { above: app => void app.use(compression()) },
  'compression below': { below: app => void app.use(compression()) },
  'middleware above that sets a field when the head is written': {
    above: app =>
      void app.use((_req, res, next) => {
        const { writeHead } = res
        res.writeHead = function written(this: Response, ...args: unknown[]) {
          res.setHeader('X-Above', '1')
          return Reflect.apply(writeHead, this, args)
        } as Response['writeHead']
        next()
      }),
  },
  'middleware above that writes the head itself, on the response that it knows': {
    above: app =>
      void app.use((_req, res, next) => {
        const { end } = res
        res.end = function ended(this: Response, ...args: unknown[]) {
          if (!res.headersSent) res.writeHead(res.statusCode)
          return Reflect.apply(end, res, args)
        } as Response['end']
        next()
      }),
  },
}

const CASES = Object.keys(LATE).flatMap(late => Object.keys(AROUND).map(around => [late, around] as const))

describe('a stale answer in the place of that of a handler', () => {
  it.each(CASES)('is whole when the handler %s, with %s', async (late, around) => {
    const { above, below } = AROUND[around] ?? {}
    let calls = 0
    let working: unknown
    const { get, cache, clock } = await site(app => {
      below?.(app)
      app.get('/', (_req, res) => {
        if (++calls === 1) res.set('Cache-Control', 'max-age=1, stale-if-error=60').send(LONG)
        else working = LATE[late]?.(res)
      })
    }, above && { above })
    await get('/')
    await settled(cache)
    clock.advance(5000)
    const stale = await get('/')
    await working
    expect(statusOf(stale)).toMatch(STALE)
    expect([stale.status, stale.headers['x-late'], stale.cut]).toEqual([200, undefined, false])
    expect(stale.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(stale.headers['x-above']).toBe(around.includes('sets a field') ? '1' : undefined)
    expect(digest(stale.body)).toBe(digest(LONG))
    expect(calls).toBe(2)
  })

  it('is cut off when its file ends too early, and keeps nobody waiting', async () => {
    let calls = 0
    const { get, cache, clock } = await site(
      app =>
        void app.get('/', (_req, res) => {
          if (++calls === 1) res.set('Cache-Control', 'max-age=1, stale-if-error=60').send(LONG)
          else res.destroy()
        }),
    )
    await get('/')
    await expect.poll(() => valueFiles(cache.directory).map(path => extname(path))).toEqual(['.val'])
    clock.advance(5000)
    const [file] = valueFiles(cache.directory)
    const stale = await get('/', { onBytes: () => truncateSync(String(file), 1000) })
    expect([stale.status, stale.cut, stale.body.length < LONG.length]).toEqual([200, true, true])
  })
})
