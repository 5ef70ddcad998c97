const UNITS = ['bytes', 'KiB', 'MiB', 'GiB']
const grouped = new Intl.NumberFormat('en')

export function count(number) {
  return grouped.format(number)
}

/** `0.42 ms`, `17 ms`, `1.2 s`. */
export function time(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(2)} ms`
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  return `${(milliseconds / 1000).toFixed(1)} s`
}

/** `45 s`, `3 min`, `2 h`, `5 d`. The page's script counts on in the same way. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

export function bytes(number) {
  const power = number < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(number) / 10))
  const scaled = number / 1024 ** power
  return `${scaled < 10 && power > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${UNITS[power]}`
}

/** `1,900 times`, of which no more than two digits mean anything. */
export function factor(ratio) {
  return ratio < 10 ? `${ratio.toFixed(1)} times` : `${count(Number(ratio.toPrecision(2)))} times`
}
