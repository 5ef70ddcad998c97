import { bytes, count, span } from './format.mjs'
import { html } from './html.mjs'

/** Rows that are seen at once, and those behind the fold. */
const SEEN = 10
const FOLDED = 60

/** The figures of `stats()`, and who is at work. */
export function figures({ stats, house, pid, query }) {
  const asked = stats.hits + stats.misses
  const rate = asked ? `${Math.round((stats.hits / asked) * 100)} %` : '–'
  return html`<section class="figures" aria-labelledby="figures">
<h2 id="figures">Figures</h2>
<dl>
${figure('Hit rate', rate, `${count(stats.hits)} of ${count(asked)} reads, by all workers`)}
${figure('Entries', count(stats.count), 'answers and media files')}
${figure('On disk', bytes(stats.volume), 'of at most 256 MiB')}
${figure('Evicted', count(stats.evictions), `by this worker, to stay under the limit`)}
</dl>
<form class="workers" action="/kill" method="post" data-swap>
<input type="hidden" name="q" value="${query}">
<p>Worker <b>${pid}</b> made this page; ${others(house, pid)}.
Up <span data-ago="${house.started}">${span(Date.now() - house.started)}</span>, ${count(house.restarts)}
${house.restarts === 1 ? 'worker' : 'workers'} replaced.</p>
<button>kill -9 the other worker</button>
</form>
</section>`
}

function others({ pids }, pid) {
  const rest = pids.filter(one => one !== pid)
  if (rest.length === 0) return html`the other one is starting`
  return html`beside it ${rest.length === 1 ? 'is' : 'are'} <b>${rest.join(', ')}</b>`
}

function figure(name, value, explanation) {
  return html`<div><dt>${name}</dt><dd><strong>${value}</strong> <span class="quiet">${explanation}</span></dd></div>`
}

/** What is cached, with a button for each thing one can do to it. */
export function entriesTable({ entries, house, query }) {
  return html`<section class="entries" aria-labelledby="entries">
<form method="post" action="/evict" data-swap>
<input type="hidden" name="q" value="${query}">
<div class="heading">
<h2 id="entries">In the cache</h2>
${entries.length > 0 && html`<button class="danger" formaction="/clear">Clear all</button>`}
</div>
${entries.length === 0 ? html`<p class="quiet">Nothing yet. Search for something.</p>` : table(entries, house)}
</form>
</section>`
}

function table(all, house) {
  // Answers are what one plays with; of the media the flags, which are many and small, come last.
  const weight = ({ tag, size }) => (tag === 'search' ? Number.MAX_SAFE_INTEGER : size)
  const entries = [...all].sort((a, b) => weight(b) - weight(a) || b.storedAt - a.storedAt)
  const folded = entries.slice(SEEN, SEEN + FOLDED)
  const hidden = entries.length - SEEN - folded.length
  return html`<div class="scroll"><table>
<thead><tr><th>Key</th><th class="number">Size</th><th>Kept as</th><th class="number">Age</th><th>Expires in</th>
<th>Tags: press one to evict by it</th><th><span class="unseen">Delete</span></th></tr></thead>
<tbody>${entries.slice(0, SEEN).map(entry => row(entry, house))}</tbody>
</table>
${folded.length > 0 && html`<details><summary>${folded.length} more</summary><table><tbody>${folded.map(entry => row(entry, house))}</tbody></table></details>`}
</div>
${hidden > 0 && html`<p class="quiet">… and ${count(hidden)} more: <a href="/api/entries">all of them as JSON</a>.</p>`}`
}

function row({ key, size, path, storedAt, expiresAt, tag, tags }, house) {
  const labels = [...(tag === undefined ? [] : [tag]), ...tags]
  return html`<tr>
<td class="key"><code>${key}</code>${storedAt < house.started && html` <span class="survivor">survived a restart</span>`}</td>
<td class="number">${bytes(size)}</td>
<td>${path ? html`<code class="path" title="${path}">${shortened(path)}</code>` : html`<span class="quiet">row</span>`}</td>
<td class="number"><span data-ago="${storedAt}">${span(Date.now() - storedAt)}</span></td>
<td class="expiry">${expiresAt === undefined ? html`<span class="quiet">never</span>` : expiry(storedAt, expiresAt)}</td>
<td class="tags">${labels.map(label => html`<button class="tag" name="tag" value="${label}">${label}</button> `)}</td>
<td><button class="delete" formaction="/delete" name="key" value="${key}" aria-label="Delete ${key}">×</button></td>
</tr>`
}

function expiry(storedAt, expiresAt) {
  const left = Math.max(0, expiresAt - Date.now())
  return html`<progress max="${Math.round(expiresAt - storedAt)}" value="${Math.round(left)}" data-until="${expiresAt}"></progress>
<span data-left="${expiresAt}">${span(left)}</span>`
}

/** `a1/b2/c3d4….val`: the names are 32 hexadecimal digits. */
function shortened(path) {
  return path.replace(/^((?:\d+\/)?..\/..\/....).*(\.val)$/, '$1…$2')
}
