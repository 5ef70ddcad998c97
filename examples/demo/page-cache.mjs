import { createHash } from 'node:crypto'
import { bytes, count, span } from './format.mjs'
import { html } from './html.mjs'
import { entriesTable } from './page-entries.mjs'

/** What changes by itself: the page fetches it again every other second. */
export function live(view) {
  return html`<div id="live" data-state="${stateOf(view)}">
${figures(view)}
${entriesTable(view)}
</div>`
}

/** The same as long as there is nothing new to see: ages are counted on by the page. */
function stateOf({ entries, stats, answers, house }) {
  const seen = [entries.map(({ key, version }) => [key, version]), stats.volume, answers, house.pids, house.restarts]
  return createHash('sha256').update(JSON.stringify(seen)).digest('base64url').slice(0, 16)
}

function figures(view) {
  const { stats, house, query } = view
  const all = sum(Object.values(view.answers))
  const asked = all.hits + all.stale + all.misses
  const rate = asked ? `${Math.round(((all.hits + all.stale) / asked) * 100)} %` : '–'
  return html`<section class="figures" aria-labelledby="figures">
<h2 id="figures">Figures</h2>
<dl>
${figure('Hit rate', rate, `${count(all.hits + all.stale)} of ${count(asked)} answers`)}
${figure('Entries', count(stats.count), 'answers and media files')}
${figure('On disk', bytes(stats.volume), 'of at most 256 MiB')}
${figure('Sent', bytes(all.bytes), 'since the demo was started')}
</dl>
${workers(view)}
<form class="workers" action="/kill" method="post" data-act>
<input type="hidden" name="q" value="${query}">
<p>Up <span data-ago="${house.started}">${span(Date.now() - house.started)}</span>, ${count(house.restarts)}
${house.restarts === 1 ? 'worker' : 'workers'} replaced.</p>
<button>kill -9 the other worker</button>
</form>
</section>`
}

function workers({ answers }) {
  const heads = ['Worker', 'Hits', 'Stale', 'Misses', 'Renewed', 'Sent']
  return html`<table class="counters"><caption class="unseen">What each worker has answered</caption>
<thead><tr>${heads.map((head, at) => html`<th scope="col" ${at > 0 ? html`class="number"` : ''}>${head}</th>`)}</tr></thead>
<tbody>${Object.entries(answers).map(([pid, counted]) => {
    const { hits, stale, misses, renewed, bytes: sent } = sum([counted])
    const cells = [hits, stale, misses, renewed].map(count)
    return html`<tr><th scope="row">${pid}</th>${[...cells, bytes(sent)].map(cell => html`<td class="number">${cell}</td>`)}</tr>`
  })}</tbody></table>`
}

function sum(all) {
  const total = { hits: 0, stale: 0, misses: 0, renewed: 0, bytes: 0 }
  for (const one of all) for (const name of Object.keys(total)) total[name] += one[name] ?? 0
  return total
}

function figure(name, value, explanation) {
  return html`<div><dt>${name}</dt><dd><strong>${value}</strong> <span class="quiet">${explanation}</span></dd></div>`
}
