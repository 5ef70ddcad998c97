import { keys, randomKeys, randomOrder, valueAt } from '../harness/data.mjs'
import { loadPackage } from '../harness/project.mjs'

/** The mix of mixed.mjs with a time to live of a second, on a directory that is kept up. Tells how long each set took. */
const { directory, shards, count, upkeep } = JSON.parse(process.argv[2])
const { FanoutCache, startUpkeep } = await loadPackage()
const cache = await new FanoutCache(directory, { shards }).open()
if (upkeep) startUpkeep(cache)
const known = keys(count)

process.on('message', async ({ operations, seed }) => {
  const order = randomKeys(operations, known, seed)
  const kinds = randomOrder(operations, 100, seed + 1)
  const processor = process.cpuUsage()
  const { failed, sets } = await work(order, kinds, valueAt(seed))
  const { user, system } = process.cpuUsage(processor)
  process.send({ failed, sets, cpu: (user + system) / 1e3 })
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })

async function work(order, kinds, value) {
  let failed = 0
  const sets = []
  for (let at = 0; at < order.length; at++) {
    if (kinds[at] < 90) await cache.get(order[at])
    else if (kinds[at] < 99) {
      const startedAt = performance.now()
      if (!(await cache.set(order[at], value, { ttl: 1000 }).catch(() => false))) failed++
      sets.push((performance.now() - startedAt) * 1e3)
    } else await cache.delete(order[at])
  }
  return { failed, sets }
}
