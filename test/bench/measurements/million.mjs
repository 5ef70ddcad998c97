import { keyAt, randomKeys, valueAt } from '../harness/data.mjs'
import { Floor } from '../harness/floor.mjs'
import { getAwaited, getSynchronous, timeEach, timeEachSynchronous } from '../harness/loops.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost } from '../harness/verdicts.mjs'

const PAGE = 20_000

/**
 * `get` of random keys among a million, against the SELECT by hand on the same database (see get.mjs). The database is
 * several times larger than SQLite's page cache and its window of memory-mapped pages, so that most reads leave both.
 * Each round reads other keys, the same ones for both.
 */
export async function measure(bench) {
  const count = bench.scale(1_000_000)
  const operations = bench.scale(50_000)
  const directory = bench.directories.fresh('million')
  const cache = new bench.package.Cache(directory, { sizeLimit: 4 * 2 ** 30 })
  const startedAt = performance.now()
  await fill(cache, count)
  const seconds = (performance.now() - startedAt) / 1e3
  const floor = new Floor(directory)
  const known = Array.from({ length: count }, (_, at) => keyAt(at))
  const orderOf = round => randomKeys(operations, known, round + 1)
  const sampleOf = round => randomKeys(operations / 5, known, round + 1_000)

  const get = key => cache.get(key)
  const byHand = key => floor.get(key)
  let order
  const prepare = round => {
    order = orderOf(round)
  }
  const series = await interleave(
    [
      {
        name: 'Cache',
        operations,
        prepare,
        run: () => getAwaited(get, order),
        latencies: round => timeEach(get, sampleOf(round)),
      },
      {
        name: 'floor: SELECT by hand',
        operations,
        prepare,
        run: () => getSynchronous(byHand, order),
        latencies: round => timeEachSynchronous(byHand, sampleOf(round)),
      },
    ],
    bench.rounds,
  )
  const bytes = await cache.volume()
  floor.close()
  await cache.close()
  bench.directories.remove(directory)
  const [ours, theFloor] = series.values()
  return {
    title: `get of random keys among ${count.toLocaleString('en-US')}`,
    series: [...series.values()],
    verdicts: [atMost(`get among ${count.toLocaleString('en-US')}, to the SELECT by hand`, ours, theFloor, 1.35)],
    notes: [`filled by setMany in ${seconds.toFixed(1)} s, ${Math.round(bytes / 2 ** 20)} MiB`],
  }
}

async function fill(cache, count) {
  for (let from = 0; from < count; from += PAGE) {
    const entries = []
    for (let at = from; at < Math.min(count, from + PAGE); at++) entries.push([keyAt(at), valueAt(at)])
    await cache.setMany(entries, { retry: true })
  }
}
