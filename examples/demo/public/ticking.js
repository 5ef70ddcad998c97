/** Counts ages and expiries on. */
export function tick() {
  const now = Date.now()
  for (const element of document.querySelectorAll('[data-ago]')) element.textContent = span(now - element.dataset.ago)
  for (const element of document.querySelectorAll('[data-left]')) element.textContent = span(element.dataset.left - now)
  for (const bar of document.querySelectorAll('progress[data-until]')) bar.value = Math.max(0, bar.dataset.until - now)
}

/** As the server says it. */
function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}
