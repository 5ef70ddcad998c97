import { loadPackage } from '../harness/project.mjs'

/** Writes other keys of some FanoutCaches at a steady pace, all in turn, until it is told to stop. */
const { directories, shards, perSecond } = JSON.parse(process.argv[2])
const { FanoutCache } = await loadPackage()
const caches = await Promise.all(
  directories.map(directory => new FanoutCache(directory, { shards, timeout: '10s' }).open()),
)
const TICK = 5
const startedAt = performance.now()
let written = 0
let running = true

process.on('message', async () => {
  running = false
})
process.send('ready')
while (running) {
  const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond) - written
  for (let at = 0; at < due && running; at++) {
    const key = `other:${written++ % 1000}`
    await Promise.all(caches.map(cache => cache.set(key, `value ${written}`)))
  }
  await new Promise(resolve => setTimeout(resolve, TICK))
}
process.send((written / (performance.now() - startedAt)) * 1000)
for (const cache of caches) await cache.close()
process.on('disconnect', () => process.exit())
