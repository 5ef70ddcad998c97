import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import { volume as volumeOf } from '../operations/culling.js'
import { kindOf } from '../option-names.js'
import type { CacheStats, StatsOptions } from '../options.js'
import { trackInAll } from '../shards/closing.js'
import type { Shard } from '../shards/shard.js'
import { writePatiently } from './configuring.js'
import { patienceOf, sessionOf } from './reading.js'
import { checkVerbOptions } from './verb-options.js'

export async function count(handle: CacheHandle, shards: readonly Shard[] = handle.shards): Promise<number> {
  return sumOver(shards, shard => readSetting(handle, shard, 'count'))
}

export async function volume(handle: CacheHandle, shards: readonly Shard[] = handle.shards): Promise<number> {
  return sumOver(shards, shard => readFigure(handle, shard, () => volumeOf(sessionOf(shard))))
}

export function stats(handle: CacheHandle, options: StatsOptions | undefined): Promise<CacheStats> {
  return trackInAll(handle.shards, figuresOf(handle, options))
}

async function figuresOf(handle: CacheHandle, options: StatsOptions | undefined): Promise<CacheStats> {
  checkVerbOptions(options, 'stats', 'resetting')
  const { reset = false } = options ?? {}
  if (typeof reset !== 'boolean') throw new TypeError(`stats: reset must be true or false, got ${kindOf(reset)}`)
  if (reset) handle.assertWritable()
  const { shards, memory, timeouts } = handle
  // All at once: a shard that is locked for reading is waited for by each of them.
  const [hits, misses, evictions, entries, bytes] = await Promise.all([
    sumOver(shards, async shard => (await readSetting(handle, shard, 'hits')) + shard.marks.hits),
    sumOver(shards, async shard => (await readSetting(handle, shard, 'misses')) + shard.marks.misses),
    sumOver(shards, async shard =>
      shard.settings.statistics ? readSetting(handle, shard, 'evictions') : shard.culler.evictions,
    ),
    count(handle, shards),
    volume(handle, shards),
  ])
  const ofMemory = memory && { memory: memory.figures }
  const figures = { hits, misses, evictions, timeouts, count: entries, volume: bytes, ...ofMemory }
  if (reset) memory?.resetFigures()
  if (reset) handle.timeouts = 0
  if (reset) await Promise.all(shards.map(shard => resetStats(handle, shard)))
  return figures
}

async function resetStats(handle: CacheHandle, shard: Shard): Promise<void> {
  const run = (session: Session): void => {
    session.statements.run('resetHits')
    session.afterCommit(() => {
      shard.marks.hits = 0
      shard.marks.misses = 0
    })
  }
  shard.culler.evictions = 0
  await writePatiently(handle, shard, { run })
}

function readSetting(handle: CacheHandle, shard: Shard, name: string): Promise<number> {
  return readFigure(handle, shard, () => sessionOf(shard).statements.get<number>('setting', name) ?? 0)
}

/** Reads a figure in order with the writes. A FanoutCache leaves out a shard that cannot be read in time. */
async function readFigure(handle: CacheHandle, shard: Shard, read: () => number): Promise<number> {
  return (await handle.read(shard, undefined, { timeout: patienceOf(handle) }, read)) ?? 0
}

async function sumOver(shards: readonly Shard[], read: (shard: Shard) => Promise<number>): Promise<number> {
  const figures = await Promise.all(shards.map(read))
  return figures.reduce((sum, figure) => sum + figure, 0)
}
