// @ts-check
// A queue over processes: this one pushes jobs, two others pull them, each job reaches one of them.
// Run it: node examples/work-queue.mjs

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cache } from 'fanout-cache'

const JOBS = 100
const directory = process.argv[2]

if (directory) await work(directory)
else await lead()

/** Pulls until it finds the end, and puts what it made into the cache. @param {string} directory */
async function work(directory) {
  const cache = new Cache(directory)
  for (;;) {
    const job = await cache.pull()
    if (!job) {
      await sleep(5)
      continue
    }
    if (job.value === 'end') break
    const number = Number(job.value)
    // pull() has taken the job: if the process dies here, the job is gone with it.
    await cache.set(`square:${number}`, { square: number ** 2, by: process.pid })
  }
  await cache.close()
}

async function lead() {
  const directory = await mkdtemp(join(tmpdir(), 'fanout-cache-queue-'))
  // A queue may not lose jobs to the size limit.
  const cache = new Cache(directory, { evictionPolicy: 'none' })
  await cache.open()
  const workers = [1, 2].map(() => fork(new URL(import.meta.url), [directory]))
  const ended = workers.map(async worker => (await once(worker, 'exit'))[0])

  // Not awaited one by one: pushes of one turn share a commit.
  await Promise.all(Array.from({ length: JOBS }, (_, number) => cache.push(number)))
  for (const _worker of workers) await cache.push('end')
  console.log('workers ended with', await Promise.all(ended)) // [ 0, 0 ]

  const shares = new Map()
  for await (const [, result] of cache.entries({ prefix: 'square:' })) {
    const { by } = /** @type {{ by: number }} */ (result)
    shares.set(by, (shares.get(by) ?? 0) + 1)
  }
  const done = [...shares.values()].reduce((sum, share) => sum + share, 0)
  console.log(`${done} of ${JOBS} jobs done, each once`, shares) // 100 of 100 jobs done, each once
  console.log('left in the queue:', await cache.peek()) // undefined
  await cache.close()
  await rm(directory, { recursive: true })
}
