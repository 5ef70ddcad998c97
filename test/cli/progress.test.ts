import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { progress } from '../../src/cli/progress.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function terminal() {
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 120, rows: 24 })
  return { stdin: new PassThrough(), stdout: new PassThrough(), stderr, env: { TERM: 'xterm' } }
}

it('the bar of a task whose total comes late shows a count first, and then the share', async () => {
  const io = terminal()
  const bar = progress(io, { what: 'repairing' })
  vi.advanceTimersByTime(2000)
  bar.set(50, 200)
  vi.advanceTimersByTime(2000)
  bar.end()
  const shown = await text(io.stderr.end())
  expect(shown).toMatch(/repairing 0 \| 0\/s \| \d+s/)
  expect(shown).toMatch(/repairing \S+ 25% \| 50\/200 \| \d+\/s \| \d+s left/)
})
