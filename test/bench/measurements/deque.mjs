import { randomOrder, values } from '../harness/data.mjs'
import { timeEach } from '../harness/loops.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { QueueFloor } from '../harness/queue-floor.mjs'
import { interleave } from '../harness/rounds.mjs'
import { absoluteAtMost, atMost, fasterThan } from '../harness/verdicts.mjs'

/** What `at` may take where keys have holes. Milliseconds. */
const HOLED_LIMIT = 5
const HOLES = 100

/**
 * `append` and `popLeft` of a Deque, each awaited before the next, against Python's on a directory of its own, and
 * against the same statements by hand: text of 100 characters, a deque that is empty before. And `at` of 100,000 items: the middle one against the first, while
 * the keys are dense and when items were taken out of their midst.
 */
export async function measure(bench) {
  const deque = new bench.package.Deque(bench.directories.fresh('deque'))
  const python = missingPython() ? undefined : await openPython(bench)
  const floor = await openFloor(bench)
  const ends = await measureEnds(bench, { deque, floor, python })
  await deque.close()
  floor.close()
  await python?.close()
  const inside = await measureInside(bench)
  const notes = python ? [] : [`left out: ${missingPython()}`]
  return {
    title: 'Deque',
    series: [...ends.series, ...inside.series],
    verdicts: [...ends.verdicts, ...inside.verdicts],
    notes,
  }
}

/** On a directory as a Deque makes it. */
async function openFloor(bench) {
  const directory = bench.directories.fresh('deque-floor')
  const deque = new bench.package.Deque(directory)
  await deque.append('')
  await deque.clear()
  await deque.close()
  return new QueueFloor(directory)
}

async function openPython(bench) {
  const python = new Python()
  await python.ask('open_deque', { directory: bench.directories.fresh('deque-python') })
  return python
}

async function measureEnds(bench, { deque, floor, python }) {
  const operations = bench.scale(5_000)
  const content = values(operations)
  const append = value => deque.append(value)
  const popLeft = () => deque.popLeft()
  const appending = {
    name: 'append',
    operations,
    run: () => putAll(append, content),
    latencies: () => timeEach(append, content.slice(0, operations / 5)),
    tidy: () => deque.clear(),
  }
  const popping = {
    name: 'popLeft',
    operations,
    prepare: () => deque.extend([...content, ...content.slice(0, operations / 5)]),
    run: () => takeAll(popLeft, operations),
    latencies: () => timeEach(popLeft, content.slice(0, operations / 5)),
  }
  const byHand = [
    {
      name: 'append by hand',
      operations,
      run: () => content.forEach(value => floor.append(value)),
      tidy: () => floor.clear(),
    },
    {
      name: 'popLeft by hand',
      operations,
      prepare: () => floor.extend(content),
      run: () => content.forEach(() => floor.popLeft()),
    },
  ]
  const theirs = what => ({
    name: `Python's ${what}`,
    elsewhere: true,
    operations,
    prepare: () => python.ask('prepare_deque', { count: what === 'popleft' ? operations : 0 }),
    run: () => python.time(what, { count: operations }),
  })
  const appends = await interleave([appending, byHand[0], ...(python ? [theirs('append')] : [])], bench.rounds)
  const pops = await interleave([popping, byHand[1], ...(python ? [theirs('popleft')] : [])], bench.rounds)
  const verdicts = []
  for (const [what, series] of [
    ['append', appends],
    ['popLeft', pops],
  ]) {
    const [ours, hand, peer] = series.values()
    verdicts.push(atMost(`${what}, to the same statements by hand`, ours, hand, 1.35))
    if (peer) verdicts.push(fasterThan(`${what}, as fast as Python`, ours, peer, 1.8))
  }
  return { series: [...appends.values(), ...pops.values()], verdicts }
}

async function measureInside(bench) {
  const length = bench.scale(100_000)
  const middle = Math.floor(length / 2)
  const deque = new bench.package.Deque(bench.directories.fresh('deque-at'))
  await deque.extend(values(length))
  const dense = await interleave(
    [readingAt(bench, deque, 0, 'at(0)'), readingAt(bench, deque, middle, 'at(n / 2), dense')],
    bench.rounds,
  )
  for (const at of randomOrder(HOLES, length - HOLES, 1)) await deque.deleteAt(at)
  const holed = await interleave([readingAt(bench, deque, middle - HOLES, 'at(n / 2), with holes')], bench.rounds)
  await deque.close()
  const [first, inner] = dense.values()
  const [behindHoles] = holed.values()
  return {
    series: [...dense.values(), behindHoles],
    verdicts: [
      atMost(`at(n / 2) of ${length} items, to at(0)`, inner, first, 5),
      absoluteAtMost('at(n / 2) with holes', behindHoles.median / 1e3, HOLED_LIMIT, 'ms'),
    ],
  }
}

function readingAt(bench, deque, index, name) {
  const operations = bench.scale(1_000)
  const read = () => deque.at(index)
  return {
    name,
    operations,
    run: () => takeAll(read, operations),
    latencies: () => timeEach(read, Array.from({ length: operations / 5 })),
  }
}

async function putAll(put, content) {
  for (let at = 0; at < content.length; at++) await put(content[at])
}

async function takeAll(take, times) {
  for (let at = 0; at < times; at++) if ((await take()) === undefined) throw new Error(`nothing there: ${at}`)
}
