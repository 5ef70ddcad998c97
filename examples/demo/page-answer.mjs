import { count, factor, span, time } from './format.mjs'
import { html } from './html.mjs'

/** What was found, how long it took, and what it would have taken. */
export function answer({ outcome, query, pid }) {
  const { hit, answer: found } = outcome
  return html`<section class="answer" aria-label="Answer">
<div class="verdict ${hit ? 'hit' : 'miss'}">
<div>
<p class="badge">${hit ? 'hit' : 'miss'}</p>
<p class="time">${time(outcome.ms)}</p>
</div>
<div class="story">${hit ? hitStory(outcome, pid) : missStory(outcome, query)}</div>
</div>
<div class="found">
<h2>“${query}”</h2>
<p class="quiet">The nearest of ${count(found.searched)} names, letter by letter</p>
<ol class="cities">${found.cities.map(city)}</ol>
</div>
</section>`
}

function hitStory({ answer: { computed }, ms, expiresAt }, pid) {
  const share = Math.max(ms / computed.ms, 0.002)
  return html`<dl class="race">
<dt>Read from the disk</dt><dd><progress max="1" value="${share.toFixed(4)}"></progress> ${time(ms)}</dd>
<dt>Computed</dt><dd><progress max="1" value="1"></progress> ${time(computed.ms)}</dd>
</dl>
<p>${factor(computed.ms / ms)} faster. Computed by worker <b>${computed.pid}</b>
<span data-ago="${computed.at}">${span(Date.now() - computed.at)}</span> ago, read by worker <b>${pid}</b>;
expires in <span data-left="${expiresAt}">${span(expiresAt - Date.now())}</span>.</p>`
}

function missStory({ collapsed, stored, answer: { computed } }, query) {
  const fate = collapsed
    ? 'another request was computing it already, and this one waited for that'
    : `computed, and ${stored ? 'stored' : 'not stored: the cache refused it'}`
  return html`<p>It was in no entry: ${fate} by worker <b>${computed.pid}</b>.</p>
<form action="/" data-swap><input type="hidden" name="q" value="${query}"><button>Ask again</button></form>`
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
