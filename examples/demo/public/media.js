/** Says of the media how the cache stood to them: browsers hand the field Server-Timing to scripts. */
export function showTimings() {
  for (const button of document.querySelectorAll('button[data-range]')) button.hidden = false
  const seen = new PerformanceObserver(list => {
    for (const entry of list.getEntries()) show(entry)
  })
  seen.observe({ type: 'resource', buffered: true })
}

/** Fetches a range, and shows what came. */
export async function tryRange(button) {
  const output = document.getElementById('range')
  output.hidden = false
  try {
    const begun = performance.now()
    const headers = { Range: `bytes=${button.dataset.bytes}` }
    const response = await fetch(button.dataset.range, { headers, cache: 'no-store' })
    const { byteLength } = await response.arrayBuffer()
    const time = `${(performance.now() - begun).toFixed(1)} ms`
    const fields = ['Content-Range', 'Cache-Status', 'X-Worker'].map(name => `${name}: ${response.headers.get(name)}`)
    output.textContent = [`${response.status} ${byteLength} bytes in ${time}`, ...fields].join('\n')
  } catch (error) {
    output.textContent = `This did not work: ${error.message}.`
  }
}

const counted = new Map()

function show({ name, serverTiming = [] }) {
  const path = new URL(name).pathname
  const timing = wanted => serverTiming.find(one => one.name === wanted)
  const cache = timing('cache')?.description
  const place = [...document.querySelectorAll('[data-timing]')].find(one => path.startsWith(one.dataset.timing))
  if (!cache || !place) return
  const counts = counted.get(place) ?? { hit: 0, miss: 0 }
  counts[cache === 'miss' ? 'miss' : 'hit'] += 1
  counted.set(place, counts)
  const said = Object.entries(counts).flatMap(([word, number]) =>
    number ? `${number} ${number > 1 ? plural(word) : word}` : [],
  )
  place.textContent = `This page: ${said.join(', ')}; the last took the worker ${timing('app')?.duration.toFixed(1)} ms.`
}

function plural(word) {
  return word === 'miss' ? 'misses' : `${word}s`
}
