import { searchPath } from './search.mjs'
import { until } from './smoke-server.mjs'

const RENEWAL_MILLISECONDS = 30_000

/** Searching: a miss, then hits from both workers, the same on the page. */
export async function checkAnswers(server, report) {
  const path = searchPath('lisbonn')
  const first = await server.ask(path)
  const miss = /^fanout-cache; fwd=uri-miss; stored/.test(first.cache)
  report.check('computes what is not cached, and stores it', first.status === 200 && miss, seen(first))
  const hit = await server.askUntil(worker => worker !== first.worker, path)
  report.check('answers it from the cache in the other worker', isHit(hit), seen(hit))
  report.check('gives the same answer', cities(hit) === cities(first) && cities(hit).includes('Lisbon'))
  report.check(
    'says how long the answer took',
    /^app;dur=[\d.]+, cache;desc=(hit|miss)/.test(first.headers['server-timing'] ?? ''),
  )

  const page = await server.ask('/?q=%20Lisbonn')
  const text = page.body.toString()
  report.check('shows the hit on the page', isHit(page) && text.includes('class="badge">hit'), seen(page))
  report.check('lists it among the entries', text.includes(`<code>${path}</code>`))
  const { entries } = JSON.parse((await server.ask('/api/entries?tag=country:PT')).body.toString())
  report.check('finds it by its tags', entries.length > 0 && entries.every(({ tags }) => tags.includes('search')))
  const hostile = (await server.ask(`/?q=${encodeURIComponent('<script>alert(1)</script>')}`)).body.toString()
  report.check('escapes what was typed', !hostile.includes('<script>alert') && hostile.includes('&lt;script&gt;'))

  for (const url of server.tour) {
    const answer = await server.ask(url)
    report.check(`answers ${new URL(url).pathname}`, answer.status === 200 && answer.cache !== '', seen(answer))
  }
  const nothing = await server.ask('/media/..%2f..%2fpackage.json')
  report.check('serves nothing but its media', nothing.status === 404)
}

/** By tag: what names Portugal goes, what does not stays. */
export async function checkPurge(server, report) {
  await server.ask(searchPath('lisbonn'))
  await server.ask(searchPath('reykjavik'))
  const { purged } = await server.post('/purge', { tag: 'country:PT' })
  report.check('purges by tag', purged > 0, `${purged} entries`)
  const gone = await server.ask(searchPath('lisbonn'))
  report.check('computes again what was purged', gone.cache.includes('fwd=uri-miss'), seen(gone))
  const kept = await server.ask(searchPath('reykjavik'))
  report.check('keeps what has other tags', isHit(kept), seen(kept))
  const { staled } = await server.post('/purge', { url: searchPath('lisbonn'), soft: '1' })
  const stale = await server.ask(searchPath('lisbonn'))
  const isStale = staled === 1 && /^fanout-cache; hit; ttl=-/.test(stale.cache)
  report.check('shows at once what was marked as stale', isStale, seen(stale))
  await until('a new answer is there', RENEWAL_MILLISECONDS, async () => isHit(await server.ask(searchPath('lisbonn'))))
  report.check('makes it again behind that', true)

  for (const headers of [
    { 'Sec-Fetch-Site': 'cross-site' },
    { Origin: 'http://elsewhere.example' },
    { Origin: 'null' },
  ]) {
    const stranger = await server.ask('/clear', { method: 'POST', headers })
    const [header] = Object.entries(headers)
    report.check('refuses buttons that other sites press', stranger.status === 403, header.join(': '))
  }
}

export function isHit({ status, cache }) {
  return status === 200 && /^fanout-cache; hit(?!; ttl=-)/.test(cache)
}

/** An answer in a few words. */
export function seen({ status, cache, ms, worker }) {
  return `${status}, ${cache}, ${ms.toFixed(1)} ms, worker ${worker}`
}

function cities({ body }) {
  return JSON.stringify(JSON.parse(body.toString()).cities)
}
