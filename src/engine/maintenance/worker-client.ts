import { Worker } from 'node:worker_threads'
import { StorageError } from '../errors.js'
import type { Finding } from '../options.js'
import type { Shard } from '../shards/shard.js'

/** What the worker thread is asked to do. Directories are those of shards. */
export type WorkerTask =
  | { readonly task: 'index'; readonly directory: string; readonly sql: string }
  | {
      readonly task: 'check'
      /** Directories of shards, and what leads to them from that of the cache. */
      readonly shards: readonly { readonly directory: string; readonly prefix: string }[]
      readonly fix: boolean
      /** Milliseconds to wait for locks. */
      readonly timeout: number
    }
  | { readonly task: 'vacuum'; readonly directory: string }
  /** Answers a finding when the database is damaged. */
  | { readonly task: 'inspect'; readonly directory: string }

/** What it answers. */
export type WorkerAnswer =
  | { readonly ok: true; readonly findings: readonly Finding[] }
  | { readonly ok: false; readonly message: string; readonly code: string | undefined }

/** Runs what takes seconds in a thread of its own, so that the loop goes on. */
export async function runTask(task: WorkerTask): Promise<readonly Finding[]> {
  const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
    const worker = new Worker(workerUrl('maintenance-worker'), { workerData: task })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', code => reject(new Error(`the maintenance thread ended with ${code}`)))
  })
  if (answer.ok) return answer.findings
  throw Object.assign(new Error(answer.message), { code: answer.code })
}

export async function runInWorker(shard: Shard, task: { task: 'index'; sql: string }): Promise<void> {
  try {
    await runTask({ ...task, directory: shard.directory })
  } catch (error) {
    throw new StorageError(shard.directory, 'creating an index failed', { cause: error })
  }
}

/** A worker is built beside this module, in the same format. */
export function workerUrl(name: 'maintenance-worker' | 'upkeep-worker'): URL {
  const extension = /\.(mjs|cjs|js)$/.exec(import.meta.url)?.[1] ?? 'js'
  return new URL(`./${name}.${extension}`, import.meta.url)
}
