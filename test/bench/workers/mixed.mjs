import { keys, randomKeys, randomOrder, valueAt } from '../harness/data.mjs'
import { loadPackage } from '../harness/project.mjs'

/** One of several processes over one FanoutCache: 90 % get, 9 % set, 1 % delete, each awaited. */
const { directory, shards, count, memory } = JSON.parse(process.argv[2])
const { FanoutCache } = await loadPackage()
const cache = await new FanoutCache(directory, { shards, ...(memory && { memory }) }).open()
const known = keys(count)

process.on('message', async ({ operations, seed }) => {
  const order = randomKeys(operations, known, seed)
  const kinds = randomOrder(operations, 100, seed + 1)
  const processor = process.cpuUsage()
  const failed = await work(order, kinds, valueAt(seed))
  const { user, system } = process.cpuUsage(processor)
  process.send({ failed, cpu: (user + system) / 1e3 })
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })

async function work(order, kinds, value) {
  let failed = 0
  for (let at = 0; at < order.length; at++) {
    if (kinds[at] < 90) await cache.get(order[at])
    else if (kinds[at] < 99) failed += (await cache.set(order[at], value).catch(() => false)) ? 0 : 1
    else await cache.delete(order[at])
  }
  return failed
}
