import { bytes, count, span } from './format.mjs'
import { html } from './html.mjs'
import { FRESH, STALE } from './search.mjs'

/** Rows that are seen at once, and those behind the fold. */
const SEEN = 8
const FOLDED = 60
const HEADS = ['Key', 'Size', 'Kept as', 'Age', 'Expires in', 'Tags: press one to purge by it']

/** What is cached, with a button for each thing one can do to it. */
export function entriesTable({ entries, house, query }) {
  const tags = [...new Set(entries.flatMap(entry => entry.tags))].sort()
  return html`<section class="entries" aria-labelledby="entries">
<form method="post" action="/purge" data-act>
<input type="hidden" name="q" value="${query}">
<h2 id="entries">In the cache</h2>
<p class="quiet">An answer is fresh for ${span(FRESH)}, and may be shown stale for ${span(STALE)} more while a new one is made.</p>
<datalist id="tags">${tags.map(tag => html`<option value="${tag}"></option>`)}</datalist>
${entries.length === 0 ? html`<p class="empty">Nothing yet. Search for something.</p>` : table(entries, house)}
</form>
</section>`
}

function table(all, house) {
  // Answers are what one plays with; of the media the flags, which are many and small, come last.
  const weight = ({ key, size }) => (addressOf(key) ? Number.MAX_SAFE_INTEGER : size)
  const entries = [...all].sort((a, b) => weight(b) - weight(a) || b.storedAt - a.storedAt)
  const folded = entries.slice(SEEN, SEEN + FOLDED)
  const hidden = entries.length - SEEN - folded.length
  const rows = some => html`<tbody>${some.map(entry => row(entry, house))}</tbody>`
  return html`<div class="scroll"><table class="list">
<thead><tr>${HEADS.map(head => html`<th scope="col">${head}</th>`)}<th scope="col"><span class="unseen">Purge it</span></th></tr></thead>
${rows(entries.slice(0, SEEN))}
</table>
${folded.length > 0 && html`<details><summary>${folded.length} more</summary><table class="list">${rows(folded)}</table></details>`}
</div>
${hidden > 0 && html`<p class="quiet">… and ${count(hidden)} more: <a href="/api/entries">all of them as JSON</a>.</p>`}`
}

function row({ key, size, path, storedAt, expiresAt, tags }, house) {
  const address = addressOf(key)
  const file = String(key).startsWith('media:') && `/media/${String(key).slice('media:'.length)}`
  const shown = address ? pathOf(address) : key
  const link = address ? shown : file
  return html`<tr>
<td class="key">${link ? html`<a href="${link}"><code>${shown}</code></a>` : html`<code>${shown}</code>`}${storedAt < house.started && html` <span class="survivor">survived a restart</span>`}</td>
<td data-head="Size">${bytes(size)}</td>
<td data-head="Kept as">${path ? html`<code class="path" title="${path}">${shortened(path)}</code>` : html`<span class="quiet">row</span>`}</td>
<td data-head="Age"><span data-ago="${storedAt}">${span(Date.now() - storedAt)}</span></td>
<td data-head="Expires in" class="expiry">${expiresAt === undefined ? html`<span class="quiet">never</span>` : expiry(storedAt, expiresAt)}</td>
<td class="tags">${tags.map(tag => html`<button class="tag" name="tag" value="${tag}" aria-label="Purge tag ${tag}">${tag}</button> `)}</td>
<td class="acts">${address ? answerButtons(address, shown) : deleteButton(key)}</td>
</tr>`
}

function answerButtons(address, shown) {
  return html`<button class="act" formaction="/purge?soft=1" name="url" value="${address}" aria-label="Mark ${shown} as stale">stale</button>
<button class="act danger" name="url" value="${address}" aria-label="Purge ${shown}">purge</button>`
}

function deleteButton(key) {
  return html`<button class="act danger" formaction="/delete" name="key" value="${key}" aria-label="Delete ${key}">delete</button>`
}

/** The address of an answer: the second line of its key. */
function addressOf(key) {
  const address = /^fanout-cache\n(https?:\/\/\S+)$/.exec(String(key))?.[1]
  return address && URL.canParse(address) ? address : undefined
}

function pathOf(address) {
  const { pathname, search } = new URL(address)
  return pathname + search
}

function expiry(storedAt, expiresAt) {
  const left = Math.max(0, expiresAt - Date.now())
  return html`<progress aria-hidden="true" max="${Math.round(expiresAt - storedAt)}" value="${Math.round(left)}" data-until="${expiresAt}"></progress>
<span data-left="${expiresAt}">${span(left)}</span>`
}

/** `a1/b2/c3d4….val`: the names are 32 hexadecimal digits. */
function shortened(path) {
  return path.replace(/^((?:\d+\/)?..\/..\/....).*(\.val)$/, '$1…$2')
}
