import { type CachePlace, findPlaces, type MaintenanceOptions } from '../engine/for-maintenance.js'
import type { Context } from './context.js'
import { cachePlace, checkContent } from './open-cache.js'
import { progress } from './progress.js'

/** The directory that a command maintains, and its databases. */
export interface Target {
  readonly directory: string
  readonly kind: 'Cache' | 'FanoutCache'
  readonly places: readonly CachePlace[]
}

const LOOK_MILLISECONDS = 200
/** How long after Ctrl-C a hint is shown, since a running statement of SQLite cannot be stopped. */
const HINT_MILLISECONDS = 1000

/**
 * Finds the databases of the directory of a command, including caches below it.
 *
 * @param options `mayBeStrange`: also when its database is that of another program
 * @throws CliError when it is no cache
 */
export function targetOf(context: Context, { mayBeStrange = false }: { readonly mayBeStrange?: boolean } = {}): Target {
  const place = cachePlace(context.directory)
  if (!mayBeStrange) checkContent(place)
  const { directory, kind } = place
  return { directory, kind: kind === 'Cache' ? 'Cache' : 'FanoutCache', places: findPlaces(directory) }
}

/** The name of a database on the screen: `.`, `003`, `cache/jobs`. */
export function placeOf({ prefix }: Pick<CachePlace, 'prefix'>): string {
  return prefix === '' ? '.' : prefix.slice(0, -1)
}

export function placesOf(databases: readonly Pick<CachePlace, 'prefix'>[]): string[] {
  return databases.map(placeOf)
}

/** Runs a task in a thread with a progress bar. */
export async function withProgress<T>(
  context: Context,
  what: string,
  work: (options: MaintenanceOptions) => Promise<T>,
): Promise<T> {
  const { io, signal, patience } = context
  const bar = progress(io, { what })
  let known: { readonly done: number; readonly total: number } | undefined
  // Updated by a timer, so that the bar shows the passing time between messages.
  const timer = setInterval(() => known && bar.set(known.done, known.total), LOOK_MILLISECONDS)
  let hint: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    const tell = (): void => context.note('ending the step that runs; another Ctrl-C ends it at once and loses nothing')
    hint = setTimeout(tell, HINT_MILLISECONDS)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const onProgress: MaintenanceOptions['onProgress'] = progressed => {
      known = progressed
    }
    // Counting the steps takes time, so it is done only if somebody sees them.
    return await work({
      timeout: patience.timeout,
      signal,
      onProgress: io.stderr.isTTY === true ? onProgress : undefined,
    })
  } finally {
    signal.removeEventListener('abort', onAbort)
    clearTimeout(hint)
    clearInterval(timer)
    bar.end()
  }
}
