import cliProgress, { type SingleBar } from 'cli-progress'
import type { Io } from './command.js'
import { isDrawnOn } from './output.js'
import { countText, durationText } from './units.js'

/** A progress bar on stderr. */
export interface Progress {
  /** Adds progress. @param steps the steps since the last call. Default 1 */
  advance(steps?: number): void
  /** Sets the finished steps and, if known, the total. */
  set(done: number, total?: number): void
  end(): void
}

const SILENT: Progress = { advance: () => undefined, set: () => undefined, end: () => undefined }
/** Tasks that end sooner show no bar. */
const PATIENCE_MILLISECONDS = 1000

/**
 * Shows a bar with the rate and the remaining time, for tasks longer than a second and only if stderr is a terminal, and no dumb one.
 * Without `total` it shows a count.
 */
export function progress(io: Io, { what, total }: { readonly what: string; readonly total?: number }): Progress {
  if (!isDrawnOn(io, io.stderr)) return SILENT
  const started = performance.now()
  let done = 0
  let all = total
  let isLong = false
  let bar: SingleBar | undefined
  const show = (): void => {
    const seconds = (performance.now() - started) / 1000
    if (!isLong) return
    if (!bar) {
      bar = newBar(io, what)
      bar.start(all ?? 0, done, figures(done, all, seconds))
    }
    if (all !== undefined && all !== bar.getTotal()) bar.setTotal(all)
    bar.update(done, figures(done, all, seconds))
  }
  // Also shown while the task waits for a lock before its first step.
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

/** The rate and the remaining time, computed over the whole task, since steps of one kind come in groups. */
function figures(
  done: number,
  all: number | undefined,
  seconds: number,
): { readonly rate: string; readonly left: string } {
  const left = done === 0 || all === undefined ? '?' : durationText((Math.max(0, all - done) / done) * seconds * 1000)
  return { rate: countText(Math.round(done / seconds)), left: left.replace(' ', '') }
}

function newBar(io: Io, what: string): SingleBar {
  const withTotal = `${what} {bar} {percentage}% | {value}/{total} | {rate}/s | {left} left`
  const withoutTotal = `${what} {value} | {rate}/s | {duration_formatted}`
  return new cliProgress.SingleBar(
    {
      // The total of a task that counts its steps first comes after the bar.
      format: (options, params, payload) =>
        cliProgress.Format.Formatter(
          { ...options, format: params.total > 0 ? withTotal : withoutTotal },
          params,
          payload,
        ),
      stream: io.stderr,
      fps: 5,
      hideCursor: false,
      clearOnComplete: false,
      // main handles signals.
      gracefulExit: false,
      barsize: 24,
    },
    cliProgress.Presets.shades_classic,
  )
}
