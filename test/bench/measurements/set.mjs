import { keyAt, keys, randomKeys, values } from '../harness/data.mjs'
import { Floor } from '../harness/floor.mjs'
import { setAwaited, setSynchronous, timeEach, timeEachSynchronous } from '../harness/loops.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost, fasterThan } from '../harness/verdicts.mjs'
import { filled } from './get.mjs'

/**
 * `set` of a small value, each awaited before the next: over keys that are there (UPDATE) and of new ones (INSERT).
 *
 * The floor runs the statements of DiskCache by hand over a database of its own with the same tables, triggers and
 * pragmas: BEGIN IMMEDIATE, SELECT, UPDATE or INSERT, the SELECT of expired rows, COMMIT. WAL and synchronous=NORMAL
 * hold for all three, so each pays for its own checkpoints. New keys are other ones in every round: all three
 * databases grow alike.
 */
export async function measure(bench) {
  const known = keys(bench.scale(10_000))
  const operations = bench.scale(10_000)
  const stores = await openStores(bench, known)
  const over = await interleave(contestants(stores, operations, overwriting(known, operations)), bench.rounds)
  const fresh = await interleave(contestants(stores, operations, adding(operations)), bench.rounds)
  await stores.cache.close()
  stores.floor.close()
  await stores.python?.close()

  const verdicts = []
  for (const [what, series] of [
    ['set', over],
    ['set of a new key', fresh],
  ]) {
    const [ours, floor, theirs] = series.values()
    verdicts.push(atMost(`${what}, to the statements by hand`, ours, floor, 1.35))
    if (theirs) verdicts.push(fasterThan(`${what}, as fast as Python`, ours, theirs, 1.6))
  }
  for (const one of fresh.values()) one.name += ', new keys'
  const notes = stores.python ? [] : [`left out: ${missingPython()}`]
  return { title: 'set, awaited one by one', series: [...over.values(), ...fresh.values()], verdicts, notes }
}

async function openStores(bench, known) {
  const cache = await filled(new bench.package.Cache(bench.directories.fresh('set')), known)
  const floor = new Floor(bench.directories.fresh('set-floor'), { create: true })
  const content = values(known.length)
  floor.fill(known.map((key, at) => [key, content[at]]))
  if (missingPython()) return { cache, floor }
  const python = await Python.open('cache', bench.directories.fresh('set-python'))
  await python.ask('fill', { keys: known.length })
  return { cache, floor, python }
}

/** Which keys a round sets, and the command that makes Python do the same. */
function overwriting(known, operations) {
  return {
    keysOf: round => randomKeys(operations, known, round + 1),
    sampleOf: round => randomKeys(operations / 5, known, round + 1_000),
    command: round => ['set', { count: operations, keys: known.length, seed: round + 1 }],
  }
}

function adding(operations) {
  const first = (round, part) => (1 + round * 2 + part) * 1_000_000
  const from = (start, count) => Array.from({ length: count }, (_, at) => keyAt(start + at))
  return {
    keysOf: round => from(first(round, 0), operations),
    sampleOf: round => from(first(round, 1), operations / 5),
    command: round => ['insert', { count: operations, first: first(round, 0) }],
    afterwards: round => ['insert', { count: operations / 5, first: first(round, 1) }],
  }
}

function contestants({ cache, floor, python }, operations, plan) {
  const content = values(1_000)
  const set = (key, value) => cache.set(key, value)
  const byHand = (key, value) => floor.set(key, value)
  let order
  const prepare = round => {
    order = plan.keysOf(round)
  }
  const ours = {
    name: 'Cache',
    operations,
    prepare,
    run: () => setAwaited(set, order, content),
    latencies: round => timeEach(set, plan.sampleOf(round), content),
  }
  const theFloor = {
    name: 'floor: statements by hand',
    operations,
    prepare,
    run: () => setSynchronous(byHand, order, content),
    latencies: round => timeEachSynchronous(byHand, plan.sampleOf(round), content),
  }
  if (!python) return [ours, theFloor]
  const theirs = {
    name: "Python's diskcache.Cache",
    elsewhere: true,
    operations,
    run: round => python.time(...plan.command(round)),
    // The samples of the others add keys as well.
    tidy: round => plan.afterwards && python.ask(...plan.afterwards(round)),
    latencies: plan.afterwards ? undefined : round => pythonLatencies(python, plan, round),
  }
  return [ours, theFloor, theirs]
}

async function pythonLatencies(python, plan, round) {
  const [what, command] = plan.command(round)
  return (await python.ask(what, { ...command, count: command.count / 5, latencies: true })).latencies
}
