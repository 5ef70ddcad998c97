import express, { Router } from 'express'
import { purge } from 'fanout-cache/express'
import { refuse } from './errors.mjs'
import { mediaKey } from './media.mjs'
import { said } from './notes.mjs'
import { AUTHORITY, normalise } from './search.mjs'

const TARGETS = ['tag', 'url', 'prefix']

/**
 * The buttons of the page: JSON to who wants it, else the page again. None of this is part of the cache: who writes such
 * routes decides who may use them, here whoever is not another site.
 *
 * @param {Parameters<import('./app.mjs').createApp>[0]} parts
 */
export function buttons({ cache, house, killOther }) {
  const routes = Router()
  routes.use(express.urlencoded({ extended: false }))

  routes.post('/purge', async (request, response) => {
    const by = TARGETS.filter(name => typeof request.body?.[name] === 'string' && request.body[name] !== '')
    if (by.length !== 1) return refuse(request, response, 400, `name one thing to purge: ${TARGETS.join(', ')}`)
    const [target] = by
    const what = request.body[target].trim()
    const soft = [request.query.soft, request.body.soft].includes('1')
    try {
      const file = target === 'url' && !soft && mediaOf(what)
      const count = file ? Number(await cache.delete(file)) : await purge(cache, { [target]: what, soft })
      finish(request, response, { done: soft ? 'staled' : 'purged', count, what: named(target, what) })
    } catch (error) {
      // An address that is none: the message says what one looks like.
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error
      refuse(request, response, 400, error.message)
    }
  })
  routes.post('/delete', async (request, response) => {
    const key = String(request.body?.key ?? '')
    finish(request, response, { done: 'deleted', count: Number(await cache.delete(key)), what: key })
  })
  routes.post('/clear', async (request, response) => {
    finish(request, response, { done: 'cleared', count: await cache.clear() })
  })
  routes.post('/kill', (request, response) => {
    killOther()
    finish(request, response, { done: 'killed', count: house.pids.length > 1 ? 1 : 0 })
  })
  return routes
}

/** Other sites may not press these buttons: browsers tell where a request comes from; programs such as curl say nothing. */
export function sameOriginOnly(request, response, next) {
  if (request.method === 'GET' || request.method === 'HEAD') return next()
  const site = request.get('Sec-Fetch-Site')
  const origin = request.get('Origin')
  const isOwnSite = site === undefined || site === 'same-origin' || site === 'none'
  const isOwnOrigin = origin === undefined || hostOf(origin) === request.get('Host')
  if (isOwnSite && isOwnOrigin) return next()
  refuse(request, response, 403, 'this must come from the page itself')
}

/** As the page names it: all answers are of one host. */
function named(target, what) {
  return target === 'tag' ? `the tag ${what}` : what.replace(AUTHORITY, '')
}

/** The key of the file at an address: files are no answers, and have no stale time. */
function mediaOf(address) {
  const [, name] = /^\/media\/([^/?]+)$/.exec(address) ?? []
  return name && mediaKey(name)
}

function hostOf(origin) {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

/** JSON, or for a browser the page again: by 303, so that reloading it does not press the button again. */
function finish(request, response, { done, count, what }) {
  if (request.accepts(['json', 'html']) === 'json') {
    return response.json({ [done]: count, said: said(done, count, what), worker: process.pid })
  }
  const query = normalise(String(request.body?.q ?? ''))
  response.redirect(303, `/?${new URLSearchParams({ ...(query && { q: query }), done, n: String(count) })}`)
}
