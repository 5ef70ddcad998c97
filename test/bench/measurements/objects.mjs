import { keys, objectAt, randomKeys } from '../harness/data.mjs'
import { getAwaited, timeEach } from '../harness/loops.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost } from '../harness/verdicts.mjs'

/**
 * `get` of an object of 300 bytes against that of a short string, in the same cache and order: what decoding costs.
 * `JSON.parse` of the same text is shown for scale.
 */
export async function measure(bench) {
  const known = keys(bench.scale(5_000))
  const operations = bench.scale(100_000)
  const strings = known.map(key => `string:${key}`)
  const objects = known.map(key => `object:${key}`)
  const cache = new bench.package.Cache(bench.directories.fresh('objects'))
  await cache.setMany(strings.map((key, at) => [key, `value ${at}`]))
  await cache.setMany(objects.map((key, at) => [key, objectAt(at)]))

  const texts = known.map((_, at) => JSON.stringify(objectAt(at)))
  const parse = text => JSON.parse(text)
  const get = key => cache.get(key)
  const reading = (name, order) => ({
    name,
    operations,
    run: () => getAwaited(get, order),
    latencies: () => timeEach(get, order.slice(0, operations / 5)),
  })
  const contestants = [
    reading(`object of ${texts[0].length} bytes`, randomKeys(operations, objects, 1)),
    reading('short string', randomKeys(operations, strings, 1)),
    { name: 'JSON.parse alone', operations, run: () => parseAll(parse, randomKeys(operations, texts, 1)) },
  ]
  const series = await interleave(contestants, bench.rounds)
  await cache.close()
  const [object, string] = series.values()
  return {
    title: 'get of an object',
    series: [...series.values()],
    verdicts: [atMost('object, to a short string', object, string, 1.6)],
  }
}

function parseAll(parse, order) {
  for (let at = 0; at < order.length; at++) if (parse(order[at]).id === undefined) throw new Error('lost')
}
