import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkAnswers, checkPurge } from './smoke-answers.mjs'
import { checkMedia } from './smoke-media.mjs'
import { checkDeath, checkRestart, checkStop } from './smoke-processes.mjs'
import { DemoServer } from './smoke-server.mjs'

/** The demo drives itself once, on a free port and a fresh directory. Answers whether all is well. */
export async function smoke() {
  const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-smoke-'))
  const server = new DemoServer(directory)
  const report = new Report()
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      await server.killAll()
      process.exit(1)
    })
  }
  try {
    await server.start()
    report.check('starts, and says where', server.tour.length > 0, server.url)
    await checkAnswers(server, report)
    await checkMedia(server, report)
    await checkPurge(server, report)
    await checkDeath(server, report)
    await checkRestart(server, report)
    await checkStop(server, report)
  } catch (error) {
    report.check('goes on to the end', false, error instanceof Error ? error.stack : error)
  } finally {
    await server.killAll()
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  if (report.failed) console.log(server.output)
  console.log(
    report.failed ? `${report.failed} of ${report.checked} checks failed` : `all ${report.checked} checks passed`,
  )
  return report.failed === 0
}

/** Says each thing as it is checked. */
class Report {
  checked = 0
  failed = 0

  /**
   * @param {string} sentence what holds if all is well
   * @param {boolean} holds
   * @param {unknown} [detail] what was seen
   */
  check(sentence, holds, detail) {
    this.checked += 1
    if (!holds) this.failed += 1
    console.log(`${holds ? 'ok    ' : 'FAILED'} ${sentence}${detail === undefined ? '' : ` (${detail})`}`)
  }
}
