import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { sqliteCode } from '../database/busy.js'
import { connect } from '../database/connection.js'
import { DATABASE_FILE } from '../database/opening.js'
import type { Finding } from '../options.js'
import { checkShard } from './check.js'
import { inspectDatabase } from './inspect-database.js'
import type { WorkerAnswer, WorkerTask } from './worker-client.js'

/** The thread for what takes seconds. Here SQLite may wait for locks by itself: nobody is held up by it. */
const LOCK_TIMEOUT = 60_000

async function run(task: WorkerTask): Promise<Finding[]> {
  if (task.task === 'check') {
    const findings: Finding[] = []
    for (const { directory, prefix } of task.shards) {
      for (const finding of await checkShard(directory, task.fix, task.timeout)) {
        findings.push(finding.path === undefined ? finding : { ...finding, path: prefix + finding.path })
      }
    }
    return findings
  }
  if (task.task === 'inspect') return inspectDatabase(task.directory)
  const db = connect(join(task.directory, DATABASE_FILE), { readonly: false, mustExist: true, timeout: LOCK_TIMEOUT })
  try {
    db.exec(task.task === 'index' ? task.sql : 'VACUUM')
  } finally {
    db.close()
  }
  return []
}

run(workerData as WorkerTask).then(
  findings => answer({ ok: true, findings }),
  error => answer({ ok: false, message: String((error as Error).message), code: sqliteCode(error) }),
)

function answer(message: WorkerAnswer): void {
  parentPort?.postMessage(message)
}
