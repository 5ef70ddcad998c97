// Spares the reload: searches and buttons change the page in place, and what is cached is kept up to date.
import { showTimings, tryRange } from './media.js'
import { tick } from './ticking.js'

const LIVE_MILLISECONDS = 2000
const NOTE_MILLISECONDS = 15_000

const element = id => document.getElementById(id)

document.addEventListener('submit', event => {
  const form = event.target
  if (!(form instanceof HTMLFormElement)) return
  const data = new URLSearchParams(new FormData(form, event.submitter))
  if ('ask' in form.dataset) {
    event.preventDefault()
    ask(String(data.get('q')))
  } else if ('act' in form.dataset) {
    event.preventDefault()
    act(event.submitter?.getAttribute('formaction') ?? form.getAttribute('action'), data)
  }
})

document.addEventListener('click', event => {
  const target = event.target instanceof Element ? event.target : undefined
  const range = target?.closest('button[data-range]')
  if (range) tryRange(range)
  const link = target?.closest('a[data-ask]')
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return
  event.preventDefault()
  ask(new URL(link.href).searchParams.get('q') ?? '')
})

// What the history holds is a page like any other.
addEventListener('popstate', () => location.reload())

/** Searches: the answer comes out of the page that the server would have shown. */
async function ask(query) {
  const url = `/?${new URLSearchParams({ q: query })}`
  element('q').value = query
  note('')
  element('answer').setAttribute('aria-busy', 'true')
  try {
    const page = await fetched(url)
    element('answer').replaceWith(page.getElementById('answer'))
    document.title = page.title
    if (location.pathname + location.search !== url) history.pushState(null, '', url)
    refreshed += 1
    showLive(page.getElementById('live'))
    for (const field of document.querySelectorAll('[data-query]')) field.value = query
  } catch {
    // The browser shows better than this script what is wrong.
    location.assign(url)
  }
}

/** Presses a button of the server, and says what that did. */
async function act(url, data) {
  try {
    const response = await fetch(url, { method: 'POST', body: data, headers: { Accept: 'application/json' } })
    const { said, error } = await response.json()
    note(said ?? `This did not work: ${error}.`, !response.ok)
  } catch (error) {
    note(`This did not work: ${error.message}.`, true)
  }
  await refresh()
}

let forgetting

function note(text, isError = false) {
  const place = element('note')
  place.textContent = text
  place.toggleAttribute('data-empty', text === '')
  place.classList.add('toast')
  place.classList.toggle('error', isError)
  clearTimeout(forgetting)
  // What went wrong stays until something else is done.
  if (!isError) forgetting = setTimeout(note, NOTE_MILLISECONDS, '')
}

let refreshed = 0

async function refresh() {
  refreshed += 1
  const turn = refreshed
  try {
    const page = await fetched(`/live${location.search}`)
    // What was asked for before something else happened is old.
    if (turn === refreshed) showLive(page.getElementById('live'))
    element('live').classList.remove('offline')
  } catch {
    element('live').classList.add('offline')
  }
}

/** Puts the part that changes by itself in place, unless it is the same; what was open stays open, and the focus where it was. */
function showLive(fresh) {
  const old = element('live')
  if (!fresh || fresh.dataset.state === old.dataset.state) return
  const isOpen = old.querySelector('details')?.open
  const focused = old.contains(document.activeElement) ? document.activeElement : undefined
  old.replaceWith(fresh)
  const details = fresh.querySelector('details')
  if (isOpen && details) details.open = true
  if (!focused) return
  const label = focused.getAttribute('aria-label')
  const same = [...fresh.querySelectorAll('button, a, summary')].find(
    one => one.getAttribute('aria-label') === label && one.textContent === focused.textContent,
  )
  same?.focus({ preventScroll: true })
}

async function fetched(url) {
  const response = await fetch(url, { headers: { Accept: 'text/html' } })
  if (!response.ok) throw new Error(`${response.status} for ${url}`)
  return new DOMParser().parseFromString(await response.text(), 'text/html')
}

setInterval(tick, 1000)
setInterval(() => {
  if (!document.hidden) refresh()
}, LIVE_MILLISECONDS)
showTimings()
