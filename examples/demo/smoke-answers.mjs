/** Searching: a miss, then hits from both workers, the same on the page. */
export async function checkAnswers(server, report) {
  const path = '/api/search?q=lisbonn'
  const first = await server.ask(path)
  const miss = /^fanout-cache; fwd=uri-miss; stored/.test(first.cache)
  report.check('computes what is not cached, and stores it', first.status === 200 && miss, seen(first))
  const hit = await server.askUntil(worker => worker !== first.worker, path)
  report.check('answers it from the cache in the other worker', isHit(hit), seen(hit))
  report.check('gives the same answer', cities(hit) === cities(first) && cities(hit).includes('Lisbon'))
  report.check('says how long the answer took', /^app;dur=[\d.]+$/.test(first.headers['server-timing'] ?? ''))

  const page = await server.ask('/?q=%20Lisbonn')
  const text = page.body.toString()
  report.check('shows the hit on the page', isHit(page) && text.includes('class="badge">hit'), seen(page))
  report.check('lists it among the entries', text.includes('<code>search:lisbonn</code>'))
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
export async function checkEviction(server, report) {
  await server.ask('/api/search?q=lisbonn')
  await server.ask('/api/search?q=reykjavik')
  const { evicted } = await server.post('/evict', { tag: 'country:PT' })
  report.check('evicts by tag', evicted > 0, `${evicted} entries`)
  const gone = await server.ask('/api/search?q=lisbonn')
  report.check('computes again what was evicted', gone.cache.includes('fwd=uri-miss'), seen(gone))
  const kept = await server.ask('/api/search?q=reykjavik')
  report.check('keeps what has other tags', isHit(kept), seen(kept))
  const stranger = await server.ask('/clear', { method: 'POST', headers: { 'Sec-Fetch-Site': 'cross-site' } })
  report.check('refuses buttons that other sites press', stranger.status === 403)
}

export function isHit({ status, cache }) {
  return status === 200 && /^fanout-cache; hit/.test(cache)
}

/** An answer in a few words. */
export function seen({ status, cache, ms, worker }) {
  return `${status}, ${cache}, ${ms.toFixed(1)} ms, worker ${worker}`
}

function cities({ body }) {
  return JSON.stringify(JSON.parse(body.toString()).cities)
}
