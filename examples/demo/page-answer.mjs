import { count, factor, span, time } from './format.mjs'
import { html } from './html.mjs'

/** What was found, how long it took, what it would have taken, and what the cache says of it. */
export function answer({ outcome, query }) {
  if (outcome.status !== 200) {
    return html`<p class="note error" role="alert">The search answered ${outcome.status}: ${outcome.body.error}.</p>`
  }
  const { state } = outcome.cache
  const found = outcome.body
  return html`<section class="answer" aria-label="Answer">
<div class="verdict ${state}" role="status">
<div>
<p class="badge">${state}</p>
<p class="time">${time(outcome.ms)}</p>
</div>
<div class="story">
${state === 'hit' && hitStory(outcome)}
${state === 'stale' && staleStory(outcome)}
${state === 'miss' && missStory(outcome)}
${state === 'bypass' && html`<p>The cache kept out of it: ${outcome.cache.detail ?? 'it was told to'}.</p>`}
<p class="field-line"><code>Cache-Status: ${outcome.field}</code></p>
<form action="/" data-ask><input type="hidden" name="q" value="${query}"><button>Ask again</button></form>
</div>
</div>
<div class="found">
<h2>“${query}”</h2>
<p class="quiet">The nearest of ${count(found.searched)} names, letter by letter</p>
<ol class="cities">${found.cities.map(city)}</ol>
</div>
</section>`
}

function hitStory(outcome) {
  const { body, ms, age, cache } = outcome
  const { computed } = body
  return html`${race(outcome)}
<p>${factor(computed.ms / ms)} faster. Worker <b>${computed.pid}</b> computed it, worker <b>${outcome.worker}</b> read it from the
disk. Its age is <span data-ago="${Date.now() - age * 1000}">${span(age * 1000)}</span>; it is fresh for
<span data-left="${Date.now() + cache.ttl * 1000}">${span(cache.ttl * 1000)}</span> more.</p>`
}

function staleStory(outcome) {
  const { body, age, cache } = outcome
  return html`${race(outcome)}
<p>No longer fresh since <span data-ago="${Date.now() + cache.ttl * 1000}">${span(-cache.ttl * 1000)}</span>, and shown all the same:
worker <b>${outcome.worker}</b> makes a new one behind it. This one, of worker <b>${body.computed.pid}</b>, is
<span data-ago="${Date.now() - age * 1000}">${span(age * 1000)}</span> old.</p>`
}

function race({ body: { computed }, ms, inside }) {
  const share = Math.max(ms / computed.ms, 0.002)
  return html`<dl class="race">
<dt>Asked the cache</dt><dd><progress aria-hidden="true" max="1" value="${share.toFixed(4)}"></progress> ${time(ms)}</dd>
<dt>Computed</dt><dd><progress aria-hidden="true" max="1" value="1"></progress> ${time(computed.ms)}</dd>
</dl>
<p class="quiet">Over HTTP, and ${time(inside)} of it in the worker.</p>`
}

function missStory({ body: { computed }, cache, worker }) {
  const before = cache.forwarded === 'stale' ? 'What was in the cache was stale' : 'It was not in the cache'
  const detail = cache.detail ? ` (${cache.detail})` : ''
  if (cache.collapsed) {
    return html`<p>${before}. Somebody else had asked for it already, and worker <b>${worker}</b> waited for that answer.</p>`
  }
  return html`<p>${before}: worker <b>${computed.pid}</b> computed it in ${time(computed.ms)}, and
${cache.stored ? 'it was stored' : `it was not stored${detail}`}.</p>`
}

function city({ name, region, country, countryName, population, neighbours }) {
  return html`<li>
<img src="/media/flag-${country.toLowerCase()}.svg" alt="" width="32" height="32" loading="lazy">
<div>
<p class="name">${name} <span class="quiet">${region && `${region}, `}${countryName}</span></p>
<p class="quiet">${population ? `${count(population)} people; near ` : 'Near '}${neighbours
    .map(near => `${near.name} (${near.kilometres} km)`)
    .join(', ')}</p>
</div>
</li>`
}
