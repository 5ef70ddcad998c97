import { isHit, seen } from './smoke-answers.mjs'
import { until } from './smoke-server.mjs'

const PATHS = ['/api/search?q=reykjavik', '/media/ocean.webm']
const PATIENCE_MILLISECONDS = 30_000

/** A worker dies; nobody notices but the log. */
export async function checkDeath(server, report) {
  const [victim, survivor] = await server.workers()
  process.kill(victim, 'SIGKILL')
  const meanwhile = await server.askUntil(worker => worker === survivor, PATHS[0])
  report.check('goes on answering when a worker is killed with -9', isHit(meanwhile), seen(meanwhile))
  await until('the worker is replaced', PATIENCE_MILLISECONDS, async () => {
    const workers = await server.workers().catch(() => [])
    return workers.length === 2 && !workers.includes(victim)
  })
  const replaced = await server.askUntil(worker => worker !== survivor, PATHS[0])
  report.check('starts another one, which finds the cache', isHit(replaced), seen(replaced))
}

/** All die at once and are started again on the same directory. */
export async function checkRestart(server, report) {
  const before = await server.workers()
  await server.end('SIGKILL')
  report.check('leaves no process behind when the first one is killed with -9', true, before.join(' and '))
  await server.start()
  const [one, other] = await server.workers()
  report.check('starts again with other workers', ![one, other].some(pid => before.includes(pid)), `${one}, ${other}`)
  for (const path of PATHS) {
    for (const pid of [one, other]) {
      const answer = await server.askUntil(worker => worker === pid, path)
      report.check(`has ${path} at once`, isHit(answer), seen(answer))
    }
  }
  const page = (await server.ask('/')).body.toString()
  report.check('shows on the page what survived', page.includes('survived a restart'))
}

/** As Ctrl-C does. */
export async function checkStop(server, report) {
  const code = await server.end('SIGINT')
  report.check('ends with 0 when it is stopped', code === 0, `exit code ${code}`)
}
