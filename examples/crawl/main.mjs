// A crawl that survives its crawlers: the README files and docs of the packages that are installed here, followed from
// link to link by several processes. The queue of pages and the map of what was found lie in one database.
//
//   node examples/crawl/main.mjs [directory] [--workers 3] [--kill 2]
//
// With --kill some workers are ended with `kill -9` in the middle of their work and started again. Killed as a whole and
// started again with the same directory, it goes on where it was.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Cache, Index } from 'fanout-cache'
import { discover, progress } from './crawl.mjs'
import { firstPages } from './pages.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { workers: { type: 'string', default: '3' }, kill: { type: 'string', default: '0' } },
})
const workers = wholeNumber('workers', 1)
let toKill = wholeNumber('kill', 0)
const directory = positionals[0] ?? mkdtempSync(join(tmpdir(), 'fanout-cache-crawl-'))
const cache = new Cache(directory, { evictionPolicy: 'none' })
const before = await progress(cache)
if (before.found > 0) console.log(`going on: ${before.done} of ${before.found} pages are done`)
await discover(cache, firstPages())

let killed = 0
await Promise.all(Array.from({ length: workers }, crew))
await report()
await cache.close()
if (!positionals[0]) rmSync(directory, { recursive: true })

/** The number that an option says. */
function wholeNumber(name, least) {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= least) return number
  throw new RangeError(`--${name} must be a whole number of ${least} or more, got ${values[name]}`)
}

/** One worker, and another one in its place when it was killed. */
async function crew() {
  for (;;) {
    const worker = fork(new URL('worker.mjs', import.meta.url), [directory])
    const ended = once(worker, 'exit')
    if (toKill > 0) {
      toKill--
      // It tells when it has taken a page, which is the worst moment for it.
      await Promise.race([once(worker, 'message'), ended])
      await delay(Math.random() * 20)
      if (worker.kill('SIGKILL')) killed++
    }
    const [code, signal] = await ended
    if (code === 0) return
    if (signal !== 'SIGKILL') throw new Error(`a worker ended with ${code ?? signal}`)
  }
}

async function report() {
  const { found, done } = await progress(cache)
  let words = 0
  let twice = 0
  const longest = { page: '', words: 0 }
  for await (const [page, result] of Index.from(cache).entries()) {
    if (typeof page !== 'string' || !result.by) continue
    words += result.words
    if (result.tries > 1) twice++
    if (result.words > longest.words) Object.assign(longest, { page, words: result.words })
  }
  console.log(`${done} of ${found} pages, ${words} words; the longest is ${longest.page} with ${longest.words}`)
  console.log(`${killed} workers killed, ${twice} pages begun again, ${found - done} lost`)
}
