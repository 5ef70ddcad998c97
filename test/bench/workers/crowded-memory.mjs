import { keyAt, objectAt } from '../harness/data.mjs'
import { loadPackage } from '../harness/project.mjs'

/** Reads more different keys than the memory holds, and tells by how much the heap has grown. */
const { directory, count, maxBytes } = JSON.parse(process.argv[2])
const PAGE = 5000
const { FanoutCache } = await loadPackage()
const cache = await new FanoutCache(directory, {
  shards: 8,
  timeout: '60s',
  memory: { maxBytes, mode: 'frozen' },
}).open()
await cache.setMany([['first', objectAt(0)]])
await cache.get('first')
const before = used()
for (let from = 0; from < count; from += PAGE) {
  const numbers = Array.from({ length: Math.min(PAGE, count - from) }, (_, at) => from + at)
  await cache.setMany(numbers.map(number => [keyAt(number), objectAt(number)]))
  for (const number of numbers) await cache.get(keyAt(number))
}
await new Promise(resolve => setTimeout(resolve, 100))
const grown = used() - before
const { memory } = await cache.stats()
process.send({ grown, memory })
await cache.close()
process.disconnect()

function used() {
  for (let again = 0; again < 3; again++) globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
