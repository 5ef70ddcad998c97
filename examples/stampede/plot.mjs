const HEIGHT = 6
const BLOCKS = ' ▁▂▃▄▅▆▇█'

/** Bars in the terminal: one column for each slice of time. */
export function bars(perSecond, sliceSeconds) {
  const most = Math.max(...perSecond, 1)
  const rows = []
  for (let row = HEIGHT - 1; row >= 0; row--) {
    const cells = perSecond.map(value => {
      const eighths = Math.round((value / most) * HEIGHT * 8) - row * 8
      return BLOCKS[Math.max(0, Math.min(8, eighths))].repeat(2)
    })
    const label = row === HEIGHT - 1 ? `${Math.round(most)}/s` : row === 0 ? '0' : ''
    rows.push(`${label.padStart(7)} │${cells.join(' ')}`)
  }
  rows.push(`${''.padStart(7)} └${'─'.repeat(perSecond.length * 3)} ${(perSecond.length * sliceSeconds).toFixed(0)} s`)
  return rows.join('\n')
}

/** The same as a picture: searches per second over time, a panel for each way on one scale. */
export function svg(plots, sliceSeconds) {
  const width = 640
  const panel = 130
  const most = Math.max(...plots.flatMap(({ calls }) => calls.perSecond), 1)
  const panels = plots.map(({ title, calls }, at) => {
    const step = (width - 80) / calls.perSecond.length
    const columns = calls.perSecond.map((value, slice) => {
      const height = (value / most) * (panel - 50)
      const x = 60 + slice * step
      return `<rect x="${x.toFixed(1)}" y="${(panel - 20 - height).toFixed(1)}" width="${(step - 1).toFixed(1)}" height="${height.toFixed(1)}"/>`
    })
    const duration = (calls.perSecond.length * sliceSeconds).toFixed(0)
    return `<g transform="translate(0 ${at * panel})">
  <text x="60" y="20" font-weight="bold">${title}: ${calls.total} searches, ${calls.requests} requests</text>
  <text x="52" y="42" text-anchor="end">${Math.round(most)}/s</text><text x="52" y="${panel - 20}" text-anchor="end">0</text>
  <path d="M60 30V${panel - 20}H${width - 20}" fill="none" stroke="#888"/><text x="${width - 20}" y="${panel - 4}" text-anchor="end">${duration} s</text>
  <g fill="#2563eb">${columns.join('')}</g>
</g>`
  })
  const height = panel * plots.length + 10
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
${panels.join('\n')}
</svg>
`
}
