import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { keys, randomKeys } from '../harness/data.mjs'
import { Database } from '../harness/project.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost, informative } from '../harness/verdicts.mjs'
import { filled } from './get.mjs'

const POLICIES = ['least-recently-stored', 'least-recently-used', 'least-frequently-used']
const TURN_EVERY = 100

/**
 * What it costs that reads are remembered: 200,000 awaited gets over 50,000 keys in random order, the loop turning
 * every 100 so that what is written in the background has its chance, and `close()`, which writes the rest.
 *
 * Each round begins with a fresh copy of the directory, whose entries were stored an hour ago: marks that are left out
 * because an access was just noted would flatter the figures. Opening is not timed. Python's own ratios, over a tenth
 * of the gets, are shown for scale.
 */
export async function measure(bench) {
  const known = keys(bench.scale(50_000))
  const operations = bench.scale(200_000)
  const contestants = []
  for (const policy of POLICIES) contestants.push(await reading(bench, policy, known, operations))
  const series = await interleave(contestants, bench.rounds)
  const [stored, used, frequent] = series.values()
  const verdicts = [atMost('LRU, to LRS', used, stored, 1.25), atMost('LFU, to LRS', frequent, stored, 1.25)]
  const theirs = await readInPython(bench, known.length, operations / 10)
  if (theirs) {
    const [theirStored, theirUsed, theirFrequent] = theirs.values()
    verdicts.push(informative("Python's LRU, to its LRS", theirUsed, theirStored))
    verdicts.push(informative("Python's LFU, to its LRS", theirFrequent, theirStored))
  }
  return {
    title: `${operations.toLocaleString('en-US')} gets by eviction policy, close() included`,
    series: [...series.values(), ...(theirs?.values() ?? [])],
    verdicts,
    notes: theirs ? [] : [`left out: ${missingPython()}`],
  }
}

async function reading(bench, policy, known, operations) {
  const template = bench.directories.fresh(`template-${policy}`)
  const options = { evictionPolicy: policy }
  await (await filled(new bench.package.Cache(template, options), known)).close()
  age(template)
  const order = randomKeys(operations, known, 7)
  let directory
  let cache
  return {
    name: policy,
    operations,
    prepare: async () => {
      directory = bench.directories.copyOf(template, policy)
      cache = await new bench.package.Cache(directory, options).open()
    },
    run: () => readAll(cache, order),
    tidy: () => bench.directories.remove(directory),
  }
}

async function readAll(cache, order) {
  for (let at = 0; at < order.length; at++) {
    if ((await cache.get(order[at])) === undefined) throw new Error('miss')
    if (at % TURN_EVERY === TURN_EVERY - 1) await turn()
  }
  await cache.close()
}

/** Makes everything an hour older. */
function age(directory) {
  const db = new Database(join(directory, 'cache.db'))
  db.exec('UPDATE Cache SET store_time = store_time - 3600, access_time = access_time - 3600')
  db.close()
}

async function readInPython(bench, count, operations) {
  if (missingPython()) return undefined
  const contestants = []
  for (const policy of POLICIES) {
    const template = bench.directories.fresh(`python-${policy}`)
    const python = await Python.open('cache', template, { eviction_policy: policy })
    await python.ask('fill', { keys: count })
    contestants.push({
      name: `Python, ${policy}`,
      operations,
      elsewhere: true,
      python,
      run: () => python.time('get_and_close', { keys: count, count: operations, seed: 7 }),
    })
  }
  const series = await interleave(contestants, Math.min(3, bench.rounds))
  for (const { python } of contestants) await python.close()
  return series
}
