import { channel } from 'node:diagnostics_channel'
import { keys, randomKeys } from '../harness/data.mjs'
import { getAwaited } from '../harness/loops.mjs'
import { loadDoor, requireDeveloped } from '../harness/project.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost, informative } from '../harness/verdicts.mjs'
import { filled } from './get.mjs'

/**
 * What metrics cost: `get` of a small value, all of them hits, on one cache that is collected in some rounds and not in others. `collected` is what
 * `collectMetrics` does by itself, with a scrape in each round; the others are what one may ask for besides.
 */
export async function measure(bench) {
  const { collectMetrics } = await loadDoor('prom-client')
  const { Registry } = requireDeveloped('prom-client')
  const known = keys(bench.scale(10_000))
  const operations = bench.scale(100_000)
  const order = randomKeys(operations, known, 1)
  const cache = await filled(new bench.package.Cache(bench.directories.fresh('metrics')), known)
  const get = key => cache.get(key)
  const gets = channel('fanout-cache:get')
  let heard = 0
  const hear = () => {
    heard++
  }

  let collecting
  const collected = options => ({
    prepare: () => {
      const register = new Registry()
      collecting = { register, ...collectMetrics(cache, { register, ...options }) }
    },
    tidy: () => collecting.stop(),
    run: async () => {
      await getAwaited(get, order)
      await collecting.register.metrics()
    },
  })
  const series = await interleave(
    [
      { name: 'get', operations, run: () => getAwaited(get, order) },
      { name: 'get, collected', operations, ...collected({}) },
      { name: 'get, with durations', operations, ...collected({ durations: true }) },
      {
        name: 'get, with a listener',
        operations,
        prepare: () => gets.subscribe(hear),
        run: () => getAwaited(get, order),
        tidy: () => gets.unsubscribe(hear),
      },
    ],
    bench.rounds,
  )
  await cache.close()
  const [plain, withMetrics, withDurations, withListener] = series.values()
  return {
    title: 'what metrics cost a get',
    series: [...series.values()],
    verdicts: [
      atMost('get, collected, to without', withMetrics, plain, 1.05),
      informative('get with durations, to without', withDurations, plain),
      informative('get with a listener, to without', withListener, plain),
    ],
    notes: [`the listener heard of ${heard} gets`],
  }
}
