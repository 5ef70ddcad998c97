import { createHash } from 'node:crypto'
import { keys, objectAt, randomKeys } from '../harness/data.mjs'
import { getAwaited, setAwaited, timeEach } from '../harness/loops.mjs'
import { interleave } from '../harness/rounds.mjs'
import { informative } from '../harness/verdicts.mjs'

/** Objects in a value, so that its JSON has about 30 KB. */
const OBJECTS = 100

/** Lists of objects, as an interface answers them, with the codec `compressed` and with the default one. */
export async function measure(bench) {
  const known = keys(200)
  const operations = bench.scale(1_000)
  const lists = Array.from({ length: 20 }, (_, list) =>
    Array.from({ length: OBJECTS }, (_, at) => withHash(objectAt(list * OBJECTS + at))),
  )
  const { Cache, compressed } = bench.package
  const caches = {
    compressed: new Cache(bench.directories.fresh('compressed'), { codec: compressed() }),
    'not compressed': new Cache(bench.directories.fresh('not-compressed')),
  }
  const entries = Object.entries(caches)
  for (const [, cache] of entries) await setAwaited((key, value) => cache.set(key, value), known, lists)
  const order = randomKeys(operations, known, 1)
  const contestants = entries.flatMap(([name, cache]) => [
    {
      name: `set, ${name}`,
      operations,
      run: () => setAwaited((key, value) => cache.set(key, value), order, lists),
      latencies: () => timeEach((key, value) => cache.set(key, value), order, lists),
    },
    {
      name: `get, ${name}`,
      operations,
      run: () => getAwaited(key => cache.get(key), order),
      latencies: () => timeEach(key => cache.get(key), order),
    },
  ])
  const series = await interleave(contestants, bench.rounds)
  const [set, get, plainSet, plainGet] = series.values()
  const notes = []
  for (const [name, cache] of entries) notes.push(`${name}: ${(await cache.info(known[0])).size} bytes each`)
  for (const [, cache] of entries) await cache.close()
  return {
    title: `lists of ${OBJECTS} objects`,
    series: [...series.values()],
    verdicts: [informative('set, compressed', set, plainSet), informative('get, compressed', get, plainGet)],
    notes,
  }
}

/** With something in each that no compressor foresees, as real answers have. */
function withHash(object) {
  return { ...object, hash: createHash('sha256').update(String(object.id)).digest('base64') }
}
