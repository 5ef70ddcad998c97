export function median(values) {
  return percentile(values, 50)
}

/** Nearest rank, with the mean of the two middle values for an even median. */
export function percentile(values, percent) {
  if (values.length === 0) return Number.NaN
  const sorted = Float64Array.from(values).sort()
  if (percent === 50 && sorted.length % 2 === 0) {
    return (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2
  }
  const rank = Math.ceil((percent / 100) * sorted.length)
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank - 1))]
}

/** Half of the distance between the quartiles, relative to the median: how far to trust it. */
export function spread(values) {
  const middle = median(values)
  return middle === 0 ? 0 : (percentile(values, 75) - percentile(values, 25)) / 2 / middle
}
