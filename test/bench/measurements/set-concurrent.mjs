import { keyAt, keys, randomKeys, values } from '../harness/data.mjs'
import { Floor } from '../harness/floor.mjs'
import { setAwaited, setConcurrent } from '../harness/loops.mjs'
import { openPeer } from '../harness/peers.mjs'
import { interleave } from '../harness/rounds.mjs'
import { fasterThan, informative } from '../harness/verdicts.mjs'
import { filled } from './get.mjs'

const WIDTH = 100
const HELD = 10_000

/**
 * 100 sets at a time, waited for together, against the same sets one by one: what group commit is worth. Both run on
 * the same caches of 10,000 entries, over the same keys, so that nothing else differs. lmdb gathers concurrent puts in
 * transactions of its own; its puts resolve when they are committed, with the flush to follow, as with
 * synchronous=NORMAL. The statements of 100 sets in one transaction by hand show what is left to gain.
 *
 * What a batch gains depends on how many pages its rows lie on, since each is written once per commit: rows stored
 * after one another share them, random ones do not. The targets are judged over 1,000 of the keys in turn; new keys in
 * sequence, and the 10,000 at random, where a transaction by hand gains little either, are shown beside.
 */
export async function measure(bench) {
  const operations = bench.scale(10_000)
  const stores = await openStores(bench)
  const thousand = keys(HELD / 10)
  const all = keys(HELD)
  const plans = {
    '1,000 keys in turn': () => Array.from({ length: operations }, (_, at) => thousand[at % thousand.length]),
    'new keys': round => Array.from({ length: operations }, (_, at) => keyAt((1 + round) * 1_000_000 + at)),
    '10,000 at random': round => randomKeys(operations, all, round + 1),
  }
  const series = new Map()
  for (const [name, orderOf] of Object.entries(plans)) {
    series.set(name, await interleave(contestants(stores, operations, orderOf, name), bench.rounds))
  }
  for (const store of Object.values(stores)) if (typeof store !== 'string') await store.close()
  return {
    title: 'set, 100 at a time',
    series: [...series.values()].flatMap(one => [...one.values()]),
    verdicts: [
      ...judge(series.get('1,000 keys in turn')),
      ...[...series].slice(1).flatMap(([name, one]) => show(name, one)),
    ],
    notes: typeof stores.lmdb === 'string' ? [`left out: ${stores.lmdb}`] : [],
  }
}

async function openStores(bench) {
  const { Cache, FanoutCache } = bench.package
  const directory = name => bench.directories.fresh(`concurrent-${name}`)
  const known = keys(HELD)
  const content = values(HELD)
  const floor = new Floor(directory('floor'), { create: true })
  floor.fill(known.map((key, at) => [key, content[at]]))
  const lmdb = await openPeer('lmdb', directory('lmdb'))
  if (typeof lmdb !== 'string') await setConcurrent(lmdb.set, known, content, WIDTH)
  const cache = await filled(new Cache(directory('cache')), known)
  const fanout = await filled(new FanoutCache(directory('fanout'), { shards: 8 }), known)
  return { cache, fanout, floor, lmdb }
}

function contestants({ cache, fanout, floor, lmdb }, operations, orderOf, plan) {
  const content = values(1_000)
  const orders = new Map()
  // Made once for all, so that no timed round pays for it.
  const prepare = round => {
    if (!orders.has(round)) orders.set(round, orderOf(round))
  }
  const contestant = (name, run) => ({
    name: `${name}, ${plan}`,
    operations,
    prepare,
    run: round => run(orders.get(round)),
  })
  const alone = store => order => setAwaited((key, value) => store.set(key, value), order, content)
  const together = store => order => setConcurrent((key, value) => store.set(key, value), order, content, WIDTH)
  return [
    contestant('Cache one by one', alone(cache)),
    contestant('Cache 100 concurrent', together(cache)),
    contestant('FanoutCache of 8 one by one', alone(fanout)),
    contestant('FanoutCache of 8 100 concurrent', together(fanout)),
    contestant('floor: 100 per transaction', order => allByHand(floor, order, content)),
    ...(typeof lmdb === 'string' ? [] : [contestant('lmdb 100 concurrent', together(lmdb))]),
  ]
}

function allByHand(floor, order, content) {
  for (let from = 0; from < order.length; from += WIDTH) {
    floor.setTogether(order, content, from, Math.min(order.length, from + WIDTH))
  }
}

function judge(series) {
  const [alone, together, fanoutAlone, fanoutTogether, floor, lmdb] = series.values()
  return [
    fasterThan('Cache, 100 concurrent sets to one by one', together, alone, 3.5),
    fasterThan('FanoutCache of 8, 100 concurrent sets to one by one', fanoutTogether, fanoutAlone, 2.2),
    ...(lmdb ? [fasterThan('Cache to lmdb, 100 concurrent sets', together, lmdb, 1)] : []),
    informative('Cache, to transactions of 100 by hand', together, floor),
  ]
}

function show(plan, series) {
  const [alone, together, fanoutAlone, fanoutTogether, floor, lmdb] = series.values()
  return [
    informative(`${plan}: Cache, one by one to 100 concurrent`, alone, together),
    informative(`${plan}: FanoutCache of 8, one by one to 100 concurrent`, fanoutAlone, fanoutTogether),
    ...(lmdb ? [informative(`${plan}: lmdb to Cache, 100 concurrent`, lmdb, together)] : []),
    informative(`${plan}: Cache, to transactions of 100 by hand`, together, floor),
  ]
}
