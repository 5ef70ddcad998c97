import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { connect } from '../database/connection.js'
import { DATABASE_FILE, databaseBytes } from '../database/opening.js'
import { DiskCacheError } from '../errors.js'
import { fieldOf } from '../file-errors.js'
import type { Finding } from '../options.js'
import { translateError } from '../translate-error.js'
import { checkShard, expectCheck } from './check.js'
import { copyLogs } from './copy-logs.js'
import { examine } from './examine.js'
import { inspectDatabase } from './inspect-database.js'
import { LOCK_SLICE_MILLISECONDS, StoppedError, TaskControl } from './task-control.js'
import { type Vacuumed, vacuumShard } from './vacuum.js'
import type { CheckTask, Place, WorkerMessage, WorkerOrder, WorkerTask } from './worker-client.js'

/** How long each step of the maintenance thread waits for locks by default. Milliseconds. */
const LOCK_TIMEOUT = 60_000

async function run(task: WorkerTask, control: TaskControl): Promise<unknown> {
  switch (task.task) {
    case 'check':
      return check(task, control)
    case 'vacuum':
      control.expect(task.shards.reduce((sum, { directory }) => sum + databaseBytes(directory), 0))
      return task.shards.map(place => vacuum(place, control))
    case 'examine':
      return task.places.map(place => examine(place, task.now, control))
    case 'inspect':
      return inspectDatabase(task.directory)
    case 'index':
      return makeIndex(task.directory, task.sql, control)
    case 'logs':
      return copyLogs(stop)
  }
}

/** Vacuums a database, which its errors name: the directory of the cache has several. */
function vacuum({ directory, prefix }: Place, control: TaskControl): Vacuumed & Pick<Place, 'prefix'> {
  try {
    return { ...vacuumShard(directory, control), prefix }
  } catch (error) {
    throw translateError(error, directory)
  }
}

async function check({ shards, fix, goesOn = false }: CheckTask, control: TaskControl): Promise<Finding[]> {
  const findings: Finding[] = []
  // All shards are counted before the first check, or the progress would seem near its end with each shard.
  const entries = shards.map(({ directory }) => (control.isWatched ? expectCheck(directory, control) : 0))
  for (const [at, { directory, prefix }] of shards.entries()) {
    for (const finding of await checkShard({ directory, entries: entries[at] ?? 0, goesOn }, fix, control)) {
      // A finding without a path concerns the database.
      const path = prefix + (finding.path ?? '')
      findings.push(path === '' ? finding : { ...finding, path: path.replace(/\/$/, '') })
    }
  }
  return findings
}

function makeIndex(directory: string, sql: string, control: TaskControl): void {
  const timeout = LOCK_SLICE_MILLISECONDS
  const db = connect(join(directory, DATABASE_FILE), { readonly: false, mustExist: true, timeout })
  try {
    control.patiently(() => db.exec(sql))
  } finally {
    db.close()
  }
}

const { task, stop, isWatched } = workerData as WorkerOrder
const tell = isWatched ? (progress: WorkerMessage['progress']) => post({ progress }) : undefined
const timeout = 'timeout' in task ? task.timeout : LOCK_TIMEOUT

run(task, new TaskControl(timeout, stop, tell)).then(
  result => post({ answer: { ok: true, result } }),
  error => post({ answer: failure(error) }),
)

function failure(error: unknown): WorkerMessage['answer'] {
  const { name, message, code } = error as Error & { readonly code?: unknown }
  return {
    ok: false,
    message,
    stopped: error instanceof StoppedError,
    own: error instanceof DiskCacheError ? name : undefined,
    // The other side recognises errors of SQLite and of the file system by these fields.
    code: typeof code === 'string' ? code : undefined,
    syscall: fieldOf(error, 'syscall'),
    path: fieldOf(error, 'path'),
  }
}

function post(message: WorkerMessage): void {
  if (message.answer) {
    Atomics.store(stop, 1, 1)
    Atomics.notify(stop, 1)
  }
  parentPort?.postMessage(message)
}
