// Spares the reload: forms and links marked data-swap fetch the page they lead to and put its live part in place.

const live = () => document.getElementById('live')

document.addEventListener('submit', event => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !('swap' in form.dataset)) return
  event.preventDefault()
  const data = new URLSearchParams(new FormData(form, event.submitter))
  const action = new URL(event.submitter?.getAttribute('formaction') ?? form.action, location.href)
  if (form.method === 'post') swap(action, { method: 'POST', body: data })
  else swap(new URL(`?${data}`, action))
})

document.addEventListener('click', event => {
  const link = event.target instanceof Element ? event.target.closest('a[data-swap]') : null
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return
  event.preventDefault()
  document.getElementById('q').value = new URL(link.href).searchParams.get('q') ?? ''
  swap(new URL(link.href))
})

// What the history holds is a page like any other.
addEventListener('popstate', () => location.reload())

async function swap(url, options) {
  live().setAttribute('aria-busy', 'true')
  try {
    const response = await fetch(url, { ...options, headers: { Accept: 'text/html' } })
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    const fresh = page.getElementById('live')
    if (!fresh) throw new Error(`no page at ${url}`)
    live().replaceWith(fresh)
    document.title = page.title
    // Without what was said once.
    const shown = new URL(response.url)
    shown.searchParams.delete('done')
    shown.searchParams.delete('n')
    history.pushState(null, '', shown)
  } catch {
    // The browser shows better than this script what is wrong.
    if (options) location.reload()
    else location.assign(url)
  }
}

setInterval(() => {
  const now = Date.now()
  for (const element of document.querySelectorAll('[data-ago]')) element.textContent = span(now - element.dataset.ago)
  for (const element of document.querySelectorAll('[data-left]')) element.textContent = span(element.dataset.left - now)
  for (const bar of document.querySelectorAll('progress[data-until]')) bar.value = Math.max(0, bar.dataset.until - now)
}, 1000)

/** As the server says it. */
function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}
