import { randomFillSync } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { keys, randomKeys } from '../harness/data.mjs'
import { getAwaited, setAwaited, timeEach } from '../harness/loops.mjs'
import { interleave } from '../harness/rounds.mjs'
import { atMost } from '../harness/verdicts.mjs'

const MIB = 2 ** 20

/**
 * Values of 1 MiB, bytes, over 64 keys, against the plain way: `writeFile` beside the target and `rename` over it, and
 * `readFile`. Both sides replace files that are there, which frees as many pages as it takes; neither flushes to the
 * disk. The files of the plain way lie in one directory; those of the cache are two directories deep, its row included.
 */
export async function measure(bench) {
  const known = keys(64)
  const operations = bench.scale(200)
  const blobs = Array.from({ length: 8 }, () => randomFillSync(Buffer.alloc(MIB)))
  const cache = new bench.package.Cache(bench.directories.fresh('large'))
  const plain = bench.directories.fresh('large-plain')
  await setAwaited((key, value) => cache.set(key, value), known, blobs)
  await setAwaited((key, value) => fs.writeFile(join(plain, key), value), known, blobs)

  const write = async (key, value) => {
    const beside = join(plain, `${key}.part`)
    await fs.writeFile(beside, value)
    await fs.rename(beside, join(plain, key))
  }
  const written = await interleave(
    [
      writing('set of 1 MiB', (key, value) => cache.set(key, value), known, operations, blobs),
      writing('writeFile and rename', write, known, operations, blobs),
    ],
    bench.rounds,
  )
  // Apart from the writes, which the system goes on flushing when they are done.
  await delay(bench.quick ? 100 : 2_000)
  const readBack = await interleave(
    [
      reading('get of 1 MiB', key => cache.get(key), known, operations),
      reading('readFile', key => fs.readFile(join(plain, key)), known, operations),
    ],
    bench.rounds,
  )
  await cache.close()
  const series = [...written.values(), ...readBack.values()]
  const [set, byHand, get, read] = series
  return {
    title: 'values of 1 MiB',
    series,
    verdicts: [
      atMost('set of 1 MiB, to writeFile and rename', set, byHand, 1.3),
      atMost('get of 1 MiB, to readFile', get, read, 1.3),
    ],
  }
}

function writing(name, set, known, operations, blobs) {
  return {
    name,
    heavy: true,
    operations,
    run: round => setAwaited(set, randomKeys(operations, known, round + 1), blobs),
    latencies: round => timeEach(set, randomKeys(operations / 4, known, round + 100), blobs),
  }
}

function reading(name, get, known, operations) {
  const whole = async key => {
    const bytes = await get(key)
    return bytes?.length === MIB ? bytes : undefined
  }
  return {
    name,
    heavy: true,
    operations,
    run: round => getAwaited(whole, randomKeys(operations, known, round + 1)),
    latencies: round => timeEach(whole, randomKeys(operations / 4, known, round + 100)),
  }
}
