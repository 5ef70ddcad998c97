import { keys, randomKeys, values } from '../harness/data.mjs'
import {
  deleteAwaited,
  getAwaited,
  getSynchronous,
  setAwaited,
  setConcurrent,
  timeEach,
  timeEachSynchronous,
} from '../harness/loops.mjs'
import { openPeer, PEER_NAMES } from '../harness/peers.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { count, duration } from '../harness/report.mjs'
import { interleave } from '../harness/rounds.mjs'

const OPERATIONS = ['get', 'set', 'set concurrent', 'delete']

/**
 * The operations that all stores have, side by side: values of 100 characters under 10,000 keys, each operation awaited
 * before the next; `set concurrent` is 100 at a time. Every store keeps its data over a crash of the process and
 * flushes to the disk later. Slow ones do fewer operations per round. No targets: a table to choose by.
 */
export async function measure(bench) {
  const known = keys(bench.scale(10_000))
  const { stores, notes } = await openAll(bench, known)
  const tables = new Map()
  for (const operation of OPERATIONS) {
    const able = stores.map(store => store.contestant(operation)).filter(contestant => contestant !== undefined)
    tables.set(operation, await interleave(able, bench.rounds))
  }
  for (const store of stores) await store.close()
  const lines = table(stores, tables)
  for (const [operation, series] of tables) for (const one of series.values()) one.name += `, ${operation}`
  return {
    title: 'peers',
    table: [...tables.values()].flatMap(series => [...series.values()]),
    notes: [...lines, ...notes],
  }
}

async function openAll(bench, known) {
  const notes = []
  const { Cache, FanoutCache } = bench.package
  const directory = name => bench.directories.fresh(`peers-${name}`)
  const own = [
    ownStore('Cache', new Cache(directory('cache'))),
    ownStore('FanoutCache', new FanoutCache(directory('fanout'), { shards: 8 })),
  ]
  const stores = own.map(store => nodeStore(bench, store, known))
  for (const name of PEER_NAMES) {
    const peer = await openPeer(name, directory(name))
    if (typeof peer === 'string') notes.push(`left out: ${peer}`)
    else stores.push(nodeStore(bench, peer, known))
  }
  if (missingPython()) return { stores, notes: [...notes, `left out: ${missingPython()}`] }
  for (const kind of ['cache', 'fanout'])
    stores.push(await pythonStore(bench, kind, directory(`python-${kind}`), known))
  return { stores, notes }
}

function ownStore(name, cache) {
  return {
    name,
    get: key => cache.get(key),
    set: (key, value) => cache.set(key, value),
    delete: key => cache.delete(key),
    close: () => cache.close(),
  }
}

function nodeStore(bench, store, known) {
  const content = values(1_000)
  const { name, weight = 1 } = store
  const operations = Math.max(20, Math.round(bench.scale(10_000) * weight))
  const order = randomKeys(operations, known, 3)
  const gone = known.slice(0, operations)
  const fill = () => setConcurrent(store.set, gone, content, 100)
  const reads = { synchronous: getSynchronous, latencies: timeEachSynchronous }
  const { synchronous: getAll, latencies: timeGets } = store.synchronousGet
    ? reads
    : { synchronous: getAwaited, latencies: timeEach }
  const readable = randomKeys(operations, gone, 3)
  const contestants = {
    get: { prepare: fill, run: () => getAll(store.get, readable), latencies: () => timeGets(store.get, readable) },
    set: { run: () => setAwaited(store.set, order, content), latencies: () => timeEach(store.set, order, content) },
    'set concurrent': { run: () => setConcurrent(store.set, order, content, 100) },
    delete: { prepare: fill, run: () => deleteAwaited(store.delete, gone) },
  }
  return {
    name,
    contestant: operation => ({ name, operations, ...contestants[operation] }),
    close: () => store.close(),
  }
}

async function pythonStore(bench, kind, directory, known) {
  const name = kind === 'cache' ? "Python's Cache" : "Python's FanoutCache"
  const operations = bench.scale(10_000)
  const python = await Python.open(kind, directory)
  const fill = () => python.ask('fill', { keys: known.length })
  await fill()
  const common = { count: operations, keys: known.length, seed: 3 }
  const latenciesOf = what => async () => (await python.ask(what, { ...common, latencies: true })).latencies
  const contestants = {
    get: { run: () => python.time('get', common), latencies: latenciesOf('get') },
    set: { run: () => python.time('set', common), latencies: latenciesOf('set') },
    delete: { prepare: fill, run: () => python.time('delete', common), tidy: fill },
  }
  return {
    name,
    // A thread per set would be another program.
    contestant: operation => contestants[operation] && { name, operations, elsewhere: true, ...contestants[operation] },
    close: () => python.close(),
  }
}

function table(stores, tables) {
  const width = Math.max(...stores.map(({ name }) => name.length))
  const cell = series => (series ? `${duration(series.median)} (${count(series.perSecond)}/s)` : '–')
  const head = `${''.padEnd(width)}  ${OPERATIONS.map(name => name.padStart(24)).join('')}`
  const lines = stores.map(({ name }) => {
    const cells = OPERATIONS.map(operation => cell(tables.get(operation).get(name)).padStart(24))
    return `${name.padEnd(width)}  ${cells.join('')}`
  })
  return [head, ...lines]
}
