import { Presets, SingleBar } from 'cli-progress'
import type { Io } from './command.js'
import { countText, durationText } from './units.js'

/** A bar on stderr. */
export interface Progress {
  /** @param steps what was done since the last call @default 1 */
  advance(steps?: number): void
  /** Sets what is done of all, where both are known from elsewhere. */
  set(done: number, total?: number): void
  end(): void
}

const SILENT: Progress = { advance: () => undefined, set: () => undefined, end: () => undefined }
/** What is over sooner needs no bar. */
const PATIENCE_MILLISECONDS = 1000

/**
 * A bar with a rate and the time that is left, for what takes longer than a second; nothing where stderr is no
 * terminal. Without `total` it counts.
 */
export function progress(io: Io, { what, total }: { readonly what: string; readonly total?: number }): Progress {
  if (io.stderr.isTTY !== true) return SILENT
  const started = performance.now()
  let done = 0
  let all = total
  let isLong = false
  let bar: SingleBar | undefined
  const show = (): void => {
    const seconds = (performance.now() - started) / 1000
    if (!isLong) return
    if (!bar) {
      bar = newBar(io, what, all !== undefined)
      bar.start(all ?? 0, done, figures(done, all, seconds))
    }
    if (all !== undefined && all !== bar.getTotal()) bar.setTotal(all)
    bar.update(done, figures(done, all, seconds))
  }
  // Also of what waits for a lock before its first step.
  const timer = setTimeout(() => {
    isLong = true
    show()
  }, PATIENCE_MILLISECONDS)
  return {
    advance(steps = 1) {
      done += steps
      show()
    },
    set(count, of) {
      done = count
      all = of ?? all
      show()
    },
    end() {
      clearTimeout(timer)
      bar?.stop()
    },
  }
}

/** How fast it goes, and how long it still takes at that: over all of it, since steps of one kind come together. */
function figures(
  done: number,
  all: number | undefined,
  seconds: number,
): { readonly rate: string; readonly left: string } {
  const left = done === 0 || all === undefined ? '?' : durationText((Math.max(0, all - done) / done) * seconds * 1000)
  return { rate: countText(Math.round(done / seconds)), left: left.replace(' ', '') }
}

function newBar(io: Io, what: string, hasTotal: boolean): SingleBar {
  const format = hasTotal
    ? `${what} {bar} {percentage}% | {value}/{total} | {rate}/s | {left} left`
    : `${what} {value} | {rate}/s | {duration_formatted}`
  return new SingleBar(
    {
      format,
      stream: io.stderr,
      fps: 5,
      hideCursor: false,
      clearOnComplete: false,
      // Signals are main's.
      gracefulExit: false,
      barsize: 24,
    },
    Presets.shades_classic,
  )
}
