import { bytes } from './format.mjs'
import { html } from './html.mjs'

const FLAGS = 'ar au br ca cl cn de eg es fr gb gr in is it jp ke kr ma mx ng no nz pe pt se th tr ua us vn za'.split(
  ' ',
)

/** Real files out of the cache: the film is fetched by ranges, the rest whole, and 304 the next time. */
export function gallery({ files }) {
  const file = name => files.find(one => one.name === name)?.info
  return html`<section class="gallery" aria-labelledby="gallery">
<h2 id="gallery">Media out of value files</h2>
<p class="quiet">Each file is put into the cache when it is first asked for, and served from there: whole, or a range of it.</p>
<div class="exhibits">
<figure class="film">
<video controls muted loop playsinline preload="metadata" poster="/media/ocean.jpg" width="1280" height="720" aria-label="The sea, from above">
<source src="/media/ocean.webm" type="video/webm"><source src="/media/ocean.mp4" type="video/mp4">
<a href="/media/ocean.webm">The film</a></video>
<figcaption>${caption('ocean.webm', file('ocean.webm'))} Seek in it: every jump is a range of the file.
<p class="range"><button type="button" data-range="/media/ocean.webm" data-bytes="500000-500999" hidden>Fetch 1,000 bytes of its middle</button>
<output id="range" hidden></output></p></figcaption>
</figure>
<figure class="specimen">
<p class="sample" aria-hidden="true"><span>Rg</span> <span>Hit &amp; miss 0123456789</span></p>
<figcaption>${caption('bricolage.woff2', file('bricolage.woff2'))} The headings of this page are set in it.</figcaption>
</figure>
<figure class="flags">
<p>${FLAGS.map(code => html`<a href="/media/flag-${code}.svg"><img src="/media/flag-${code}.svg" alt="${code}" width="40" height="40" loading="lazy"></a> `)}</p>
<figcaption>${FLAGS.length} of the flags: small files, but files too. <span data-timing="/media/flag-"></span></figcaption>
</figure>
</div>
</section>`
}

function caption(name, info) {
  const link = html`<a href="/media/${name}"><code>${name}</code></a>`
  const timing = html`<span data-timing="/media/${name}"></span>`
  if (!info) return html`${link}, not in the cache when this page was made. ${timing}`
  return html`${link}, ${bytes(info.size)}, kept as <code class="path">${info.path}</code>. ${timing}`
}
