import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { keys, randomKeys } from '../harness/data.mjs'
import { HttpLoad } from '../harness/http-load.mjs'
import { openPeer } from '../harness/peers.mjs'
import { interleave } from '../harness/rounds.mjs'
import { informative } from '../harness/verdicts.mjs'

const CONNECTIONS = 64
const KEYS = 1000
const OURS = 'CacheInterceptor on disk'
const REDIS = 'that of @nestjs/cache-manager, in Redis'
const NONE = 'no interceptor'
const worker = fileURLToPath(new URL('../workers/nest-server.mjs', import.meta.url))

/**
 * Apps of Nest in processes of their own with 64 connections: answers of 1,000 URLs that are kept, through the interceptor of
 * the package and through the official one with a Redis on the loopback; and what the same handler takes without either.
 */
export async function measure(bench) {
  const known = keys(KEYS).map(key => `/${key}`)
  const paths = randomKeys(bench.scale(20_000), known, 1)
  const notes = []
  const redis = await openPeer('redis', bench.directories.fresh('nest-redis'))
  const kinds = [
    [OURS, { kind: 'disk', directory: bench.directories.fresh('nest') }],
    [NONE, { kind: 'none' }],
  ]
  if (typeof redis === 'string') notes.push(`left out: ${redis}`)
  else kinds.push([REDIS, { kind: 'redis', url: redis.url }])

  const contestants = []
  for (const [name, options] of kinds) contestants.push(await serve(name, options, known, paths))
  const series = await interleave(contestants, bench.rounds)
  for (const { close } of contestants) close()
  if (typeof redis !== 'string') await redis.close()

  const verdicts = [informative(`${OURS}, to ${NONE}`, series.get(OURS), series.get(NONE))]
  if (series.has(REDIS)) verdicts.push(informative(`${OURS}, to ${REDIS}`, series.get(OURS), series.get(REDIS)))
  return {
    title: `NestJS, ${CONNECTIONS} connections, answers that are kept`,
    series: [...series.values()],
    verdicts,
    notes,
  }
}

async function serve(name, options, known, paths) {
  const child = fork(worker, [JSON.stringify(options)])
  const [{ port }] = await once(child, 'message')
  const load = await HttpLoad.connect(port, CONNECTIONS)
  await load.run(known, 'GET')
  return {
    name,
    operations: paths.length,
    elsewhere: true,
    run: async () => {
      const begun = await processorOf(child)
      const startedAt = performance.now()
      await load.run(paths, 'GET')
      const milliseconds = performance.now() - startedAt
      return { milliseconds, cpu: (await processorOf(child)) - begun }
    },
    close: () => {
      load.close()
      child.disconnect()
    },
  }
}

async function processorOf(child) {
  const answer = once(child, 'message')
  child.send('cpu')
  return (await answer)[0].cpu
}
