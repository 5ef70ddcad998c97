import { existsSync } from 'node:fs'
import { join, parse } from 'node:path'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { fieldOf } from '../file-errors.js'
import { bundleFile, ownFile, ownRequire } from '../own-place.js'

/** The threads of this package. Each is a file in the folder `fanout-cache` beside those that start it. */
export type ThreadName = 'maintenance-worker' | 'upkeep-worker'

/** The errors of a thread whose file is not there. */
const MISSING = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND', 'ERR_INVALID_URL', 'ERR_WORKER_PATH']

/** Starts a thread of this package, or throws. Its errors are to go through `threadFailure`. */
export function startThread(name: ThreadName, options: WorkerOptions): Worker {
  const file = fileBeside(name) ?? installedFile(name) ?? namedFile(name)
  // After `new Worker` and a computed name, Turbopack takes every file beside this one into its build, declarations too.
  return Reflect.construct(Worker, [file, { ...options, ...foreignFlags() }])
}

/** Says what to do about a thread that may not start, or whose file was left behind when the package was bundled. */
export function threadFailure(error: unknown): Error {
  const failure = error instanceof Error ? error : new Error(String(error))
  if (fieldOf(error, 'code') === 'ERR_ACCESS_DENIED') {
    return new Error('Node may start no threads: start it with --allow-worker', { cause: error })
  }
  if (!MISSING.includes(fieldOf(error, 'code') ?? '')) return failure
  return new Error(
    'a file that a thread of fanout-cache needs is missing: leave fanout-cache out of the bundle, or build its threads ' +
      `into it, see docs/bundlers.md (${failure.message})`,
    { cause: error },
  )
}

/** Looks where this module is, and where the bundle is that has taken it in. */
function fileBeside(name: ThreadName): string | undefined {
  const files = [ownFile(), bundleFile()].map(file => parse(file))
  const paths = files.flatMap(({ dir, ext }) =>
    [ext, '.mjs', '.cjs', '.js'].map(extension => join(dir, 'fanout-cache', name + extension)),
  )
  return paths.find(path => existsSync(path))
}

/** A bundle may find the package installed beside what cannot be bundled, such as better-sqlite3. */
function installedFile(name: ThreadName): string | undefined {
  try {
    return ownRequire().resolve(`fanout-cache/${name}`)
  } catch {
    return undefined
  }
}

/** The same once more in words by which tools know that the files belong to a server, as those of Next.js do. */
function namedFile(name: ThreadName): URL {
  return name === 'upkeep-worker'
    ? new URL('./fanout-cache/upkeep-worker.mjs', import.meta.url)
    : new URL('./fanout-cache/maintenance-worker.mjs', import.meta.url)
}

/** Options that keep the flag `--input-type` of the process from the thread, because it prevents running a file. */
function foreignFlags(): WorkerOptions {
  const { NODE_OPTIONS = '' } = process.env
  const flag = /(^|\s)--input-type[=\s]\S+/
  if (!flag.test(NODE_OPTIONS) && !process.execArgv.some(argument => argument.startsWith('--input-type'))) return {}
  return { execArgv: [], env: { ...process.env, NODE_OPTIONS: NODE_OPTIONS.replace(flag, '') } }
}
