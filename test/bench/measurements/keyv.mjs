import { keys, randomKeys, values } from '../harness/data.mjs'
import { getAwaited, setAwaited, setConcurrent, timeEach } from '../harness/loops.mjs'
import { openKeyv, openPeer } from '../harness/peers.mjs'
import { loadDoor, requireDeveloped } from '../harness/project.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost, fasterThan, informative } from '../harness/verdicts.mjs'

const CREATED = 'Keyv 5, createKeyv'
const SQLITE = 'Keyv 6, @keyv/sqlite'
const SQLITE_WAL = 'Keyv 6, @keyv/sqlite with WAL'
const MANAGED = 'cache-manager 7, diskStore'
const MANAGED_REDIS = 'cache-manager 7, Redis'

/**
 * `get` and `set` through Keyv and cache-manager: text of 100 characters under 10,000 keys, awaited one by one. All
 * doors of the package are on one FanoutCache, the measure of its own `get`; the peers are @keyv/sqlite under the same
 * Keyv 6, and a Redis on the loopback under the same cache-manager, and by its client.
 */
export async function measure(bench) {
  const known = keys(bench.scale(10_000))
  const cache = new bench.package.FanoutCache(bench.directories.fresh('keyv'))
  const { stores, notes } = await openStores(bench, cache)
  for (const { set } of stores) await setConcurrent(set, known, values(known.length), 100)
  const gets = await interleave(
    stores.map(store => getting(bench, store, known)),
    bench.rounds,
  )
  const sets = await interleave(
    stores.map(store => setting(bench, store, known)),
    bench.rounds,
  )
  for (const { close } of stores) await close()
  await cache.close()

  const verdicts = verdictsOf(gets, sets)
  for (const [what, table] of Object.entries({ get: gets, set: sets })) {
    for (const one of table.values()) one.name += `, ${what}`
  }
  return { title: 'Keyv and cache-manager', series: [...gets.values(), ...sets.values()], verdicts, notes }
}

function verdictsOf(gets, sets) {
  const verdicts = []
  const compare = (table, make, label, of, to, limit) => {
    if (table.has(of) && table.has(to)) verdicts.push(make(label, table.get(of), table.get(to), limit))
  }
  compare(gets, atMost, 'createKeyv: get, to that of the cache', CREATED, 'FanoutCache', 1.6)
  compare(sets, informative, 'createKeyv: set, to that of the cache', CREATED, 'FanoutCache')
  for (const [what, table] of [
    ['get', gets],
    ['set', sets],
  ]) {
    compare(table, fasterThan, `createKeyv: ${what}, as fast as @keyv/sqlite as it comes`, CREATED, SQLITE, 5)
    compare(table, informative, `@keyv/sqlite with WAL: ${what}, to createKeyv`, SQLITE_WAL, CREATED)
    compare(table, informative, `@keyv/sqlite as it comes: ${what}, to KeyvDiskStore`, SQLITE, 'Keyv 6, KeyvDiskStore')
    compare(table, informative, `cache-manager: ${what}, to Redis`, MANAGED, MANAGED_REDIS)
  }
  return verdicts
}

async function openStores(bench, cache) {
  const [{ createKeyv }, { KeyvDiskStore }, { diskStore }] = await Promise.all(
    ['keyv', 'keyv6', 'cache-manager'].map(loadDoor),
  )
  const { default: Keyv6 } = await import('keyv').catch(() => ({}))
  const { createCache } = requireDeveloped('cache-manager')
  const through = (name, store, weight = 1, close = async () => {}) => ({
    name,
    weight,
    get: key => store.get(key),
    set: (key, value) => store.set(key, value),
    close,
  })
  const stores = [
    through('FanoutCache', cache),
    through(CREATED, createKeyv(cache)),
    ...(Keyv6
      ? [through('Keyv 6, KeyvDiskStore', new Keyv6({ store: new KeyvDiskStore({ cache, namespace: 'six' }) }))]
      : []),
    through(MANAGED, createCache({ stores: [diskStore.keyv({ cache, namespace: 'cm' })] })),
  ]
  const notes = []
  const sqlite = await openPeer('@keyv/sqlite', bench.directories.fresh('keyv-sqlite'))
  if (typeof sqlite === 'string') notes.push(`left out: ${sqlite}`)
  else {
    stores.push({ ...sqlite, name: SQLITE_WAL })
    stores.push({ ...(await openKeyv(bench.directories.fresh('keyv-sqlite'), false)), name: SQLITE })
  }
  const redis = await openPeer('redis', bench.directories.fresh('keyv-redis'))
  if (typeof redis === 'string') notes.push(`left out: ${redis}`)
  else {
    const { Keyv } = requireDeveloped('keyv')
    const { default: KeyvRedis } = requireDeveloped('@keyv/redis')
    const managed = createCache({ stores: [new Keyv({ store: new KeyvRedis(redis.url) })] })
    stores.push(through(MANAGED_REDIS, managed, redis.weight, () => managed.disconnect()))
    stores.push({ ...redis, name: 'Redis, its client' })
  }
  return { stores, notes }
}

function getting(bench, { name, get, weight = 1 }, known) {
  const operations = Math.round(bench.scale(20_000) * weight)
  const order = randomKeys(operations, known, 1)
  return {
    name,
    operations,
    run: () => getAwaited(get, order),
    latencies: () => timeEach(get, order.slice(0, operations / 5)),
  }
}

function setting(bench, { name, set, weight = 1 }, known) {
  const operations = Math.round(bench.scale(10_000) * weight)
  const order = randomKeys(operations, known, 2)
  const content = values(1000)
  return {
    name,
    operations,
    run: () => setAwaited(set, order, content),
    latencies: () => timeEach(set, order.slice(0, operations / 5), content),
  }
}
