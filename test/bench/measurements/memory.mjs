import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { keys, objectAt, randomKeys } from '../harness/data.mjs'
import { timeEach, timeEachSynchronous } from '../harness/loops.mjs'
import { openPeer } from '../harness/peers.mjs'
import { missingPython } from '../harness/python.mjs'
import { interleave } from '../harness/rounds.mjs'
import { absoluteAtMost, atMost, fasterThan } from '../harness/verdicts.mjs'
import { compareTeams, KEYS, ourTeam, PROCESSES, pythonTeam } from './processes.mjs'

const HOT = 16
const GETS_PER_TURN = 100
const SHARDS = 8
const WRITES_PER_SECOND = 1000
const MAX_BYTES = 32 * 2 ** 20
const writer = fileURLToPath(new URL('../workers/paced-writer.mjs', import.meta.url))
const crowd = fileURLToPath(new URL('../workers/crowded-memory.mjs', import.meta.url))

/**
 * The memory tier: 16 hot keys of 300-byte objects in a FanoutCache of 8 shards, 100 awaited gets in each turn of the
 * loop, so that every shard is asked once in a turn whether others have written. The same cache without memory and
 * lmdb, which gives the object at once and is called without `await`, read the same keys in the same order. Then the
 * same while another process writes 1,000 other keys of the same shards per second; the work of eight processes, see
 * `processes`; and what the heap holds after a million different keys.
 */
export async function measure(bench) {
  const quiet = await hits(bench, 'alone')
  const disturbed = await hits(bench, 'beside a writer')
  const crowded = await team(bench)
  const heap = await heapAfterMany(bench)
  return {
    title: `memory: ${HOT} hot keys of 300-byte objects, ${GETS_PER_TURN} gets per turn`,
    series: [...quiet.series, ...disturbed.series, ...crowded.series],
    verdicts: [...quiet.verdicts, ...disturbed.verdicts, ...crowded.verdicts, heap],
    notes: [...quiet.notes, ...disturbed.notes, ...crowded.notes],
  }
}

async function hits(bench, where) {
  const operations = bench.scale(100_000)
  const { FanoutCache } = bench.package
  const directory = bench.directories.fresh('memory')
  const known = keys(HOT)
  const entries = known.map((key, at) => [key, objectAt(at)])
  // One directory for all: they are handles on it of processes apart, as it were.
  const caches = {}
  for (const [name, memory] of [
    ['no memory', undefined],
    ['copy', {}],
    ['frozen', { mode: 'frozen' }],
  ]) {
    const own = where === 'alone' ? bench.directories.fresh(`memory-${name}`) : `${directory}-${name.replace(' ', '-')}`
    caches[name] = await new FanoutCache(own, { shards: SHARDS, timeout: '10s', ...(memory && { memory }) }).open()
    await caches[name].setMany(entries)
  }
  const writing = where === 'alone' ? undefined : await startWriter(Object.values(caches).map(cache => cache.directory))
  const order = randomKeys(operations, known, 1)
  const contestants = Object.entries(caches).map(([name, cache]) =>
    reading(`${name}, ${where}`, key => cache.get(key), order),
  )
  const lmdb = where === 'alone' ? await openPeer('lmdb', bench.directories.fresh('memory-lmdb')) : undefined
  if (lmdb && typeof lmdb !== 'string') {
    for (const [key, value] of entries) await lmdb.set(key, value)
    contestants.push(reading('lmdb', lmdb.get, order, true))
  }
  const series = await interleave(contestants, bench.rounds)
  const paced = await writing?.stop()
  for (const cache of Object.values(caches)) await cache.close()
  if (typeof lmdb === 'object') await lmdb.close()
  const [plain, copy, frozen, theirs] = series.values()
  const notes = paced ? [`the other process wrote ${Math.round(paced)} keys per second`] : []
  if (typeof lmdb === 'string') notes.push(`left out: ${lmdb}`)
  return { series: [...series.values()], verdicts: verdictsOf(where, { plain, copy, frozen, theirs }), notes }
}

function verdictsOf(where, { plain, copy, frozen, theirs }) {
  if (where !== 'alone') {
    return [
      fasterThan('copy hit beside a writer, as fast as without memory', copy, plain, 1.5),
      fasterThan('frozen hit beside a writer, as fast as without memory', frozen, plain, 1.5),
    ]
  }
  return [
    ...(theirs ? [atMost("frozen hit, to lmdb's get", frozen, theirs, 0.5)] : []),
    atMost('frozen hit, to get without memory', frozen, plain, 0.2),
    atMost('copy hit, to get without memory', copy, plain, 0.5),
  ]
}

function reading(name, get, order, synchronous = false) {
  const sample = order.slice(0, Math.ceil(order.length / 10))
  return {
    name,
    operations: order.length,
    run: () => (synchronous ? readNow(get, order) : readAwaited(get, order)),
    latencies: () => (synchronous ? timeEachSynchronous(get, sample) : timeEach(get, sample)),
  }
}

async function readAwaited(get, order) {
  for (let from = 0; from < order.length; from += GETS_PER_TURN) {
    for (let at = from; at < from + GETS_PER_TURN; at++)
      if ((await get(order[at])) === undefined) throw new Error('miss')
    await nextTurn()
  }
}

async function readNow(get, order) {
  for (let from = 0; from < order.length; from += GETS_PER_TURN) {
    for (let at = from; at < from + GETS_PER_TURN; at++) if (get(order[at]) === undefined) throw new Error('miss')
    await nextTurn()
  }
}

function nextTurn() {
  return new Promise(resolve => setImmediate(resolve))
}

async function startWriter(directories) {
  const child = fork(writer, [JSON.stringify({ directories, shards: SHARDS, perSecond: WRITES_PER_SECOND })])
  await once(child, 'message')
  return {
    stop: async () => {
      const answer = once(child, 'message')
      child.send('stop')
      const [perSecond] = await answer
      child.disconnect()
      return perSecond
    },
  }
}

async function team(bench) {
  if (missingPython()) return { series: [], verdicts: [], notes: [`left out: ${missingPython()}`] }
  const teams = [await ourTeam(bench, {}), await ourTeam(bench), await pythonTeam(bench)]
  const series = [...(await compareTeams(bench, teams)).values()]
  const [withMemory, , theirs] = series
  const verdicts = [
    fasterThan(
      `${PROCESSES} processes on ${KEYS} keys with memory, operations to those of Python`,
      withMemory,
      theirs,
      2,
    ),
    absoluteAtMost('failed sets with memory', teams[0].failed, 0, 'sets'),
  ]
  return { series, verdicts, notes: [] }
}

async function heapAfterMany(bench) {
  const argument = {
    directory: bench.directories.fresh('memory-heap'),
    count: bench.scale(1_000_000),
    maxBytes: MAX_BYTES,
  }
  const child = fork(crowd, [JSON.stringify(argument)], { execArgv: ['--expose-gc'] })
  const [{ grown }] = await once(child, 'message')
  const label = `heap after ${argument.count.toLocaleString('en-US')} different keys, to maxBytes`
  return absoluteAtMost(label, grown / MAX_BYTES, 1.2, '×')
}
