import cluster from 'node:cluster'
import { parseArgs } from 'node:util'

const USAGE = `Usage: npm run demo [-- --smoke]

  --smoke   the demo drives itself once, says what it checked and exits with 0 or 1

  PORT       port to listen on; 0: a free one (default 3000)
  HOST       address to listen on (default 127.0.0.1)
  CACHE_DIR  directory of the cache (default: fanout-cache-demo in the system's temporary directory)`

const { values } = parseArgs({ options: { smoke: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })

if (values.help) {
  console.log(USAGE)
} else if (values.smoke) {
  const { smoke } = await import('./smoke.mjs')
  process.exitCode = (await smoke()) ? 0 : 1
} else if (cluster.isPrimary) {
  const { startPrimary } = await import('./primary.mjs')
  await startPrimary()
} else {
  const { startWorker } = await import('./worker.mjs')
  await startWorker()
}
