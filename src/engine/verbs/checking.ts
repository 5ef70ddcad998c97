import type { CacheHandle } from '../cache-handle.js'
import { isLostSchema } from '../database/sqlite-errors.js'
import { CorruptError, TimeoutError } from '../errors.js'
import { strangersBesideShards } from '../maintenance/strangers.js'
import { runTask } from '../maintenance/worker-client.js'
import { kindOf } from '../option-names.js'
import type { Checking, Finding } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { LONGEST_TIMER } from '../time.js'
import { sleep } from '../timers.js'
import { checkVerbOptions, resolveWaiting } from './verb-options.js'

/** How long a check of a FanoutCache waits for a lock at least. Its own timeout is meant for one write. Milliseconds. */
const FANOUT_TIMEOUT = 60_000

export async function check(handle: CacheHandle, options: Checking | undefined): Promise<Finding[]> {
  checkVerbOptions(options, 'check', 'checking')
  const { fix = false } = options ?? {}
  if (typeof fix !== 'boolean') throw new TypeError(`check: fix must be true or false, got ${kindOf(fix)}`)
  if (fix) handle.assertWritable()
  const isFanout = handle.kind === 'FanoutCache'
  const { timeout: ownTimeout } = handle.options
  const { wait, signal } = resolveWaiting(options, isFanout ? Math.max(ownTimeout, FANOUT_TIMEOUT) : ownTimeout)
  const timeout = Math.min(wait, LONGEST_TIMER)
  const { shards } = handle
  try {
    await writesBefore(handle, timeout, signal)
    const places = shards.map(({ directory, disk }) => ({ directory, prefix: disk.pathPrefix }))
    const look = (): Promise<readonly Finding[]> =>
      runTask({ task: 'check', shards: places, fix, timeout, goesOn: isFanout }, { signal })
    const findings = await look().catch(error => restoreTables(handle, shards, error).then(look))
    if (findings.some(({ kind }) => kind === 'locked')) handle.gaveUp()
    const outcome = fix ? await setAsideDamaged(handle, shards, findings) : findings
    return [...(isFanout ? strangersBesideShards(handle.directory) : []), ...outcome]
  } catch (error) {
    if (signal?.aborted) throw error
    const known = (shards[0] as Shard).translate(error)
    if (known instanceof TimeoutError) handle.gaveUp()
    throw known
  }
}

/**
 * Opens the databases again when tables are gone, which creates them anew. Overwrites may go on without `Settings`, so
 * that a check can be the first to miss it. Throws any other error, and this one in a readonly cache.
 */
async function restoreTables(handle: CacheHandle, shards: readonly Shard[], error: unknown): Promise<void> {
  if (!isLostSchema(error) || handle.options.readonly || !handle.isOpen) throw error
  for (const shard of shards) {
    shard.reopen()
    await shard.open()
  }
}

/** Moves databases aside that a check could not repair, in a cache with `onCorrupt: 'quarantine'`. */
async function setAsideDamaged(
  handle: CacheHandle,
  shards: readonly Shard[],
  findings: readonly Finding[],
): Promise<Finding[]> {
  const moved = new Set<string | undefined>()
  for (const shard of shards) {
    const { directory, disk, identity, options } = shard
    const path = disk.pathPrefix.replace(/\/$/, '') || undefined
    const isOfShard = (finding: Finding): boolean => isBroken(finding) && finding.path === path
    if (!handle.isOpen || options.onCorrupt !== 'quarantine' || !findings.some(isOfShard)) continue
    shard.reopen(new CorruptError(directory, 'it was found damaged by a check'))
    await shard.open()
    // A database that proves sound stays in place.
    if (shard.identity !== identity) moved.add(path)
  }
  return findings.map(finding =>
    isBroken(finding) && moved.has(finding.path)
      ? { ...finding, message: `${finding.message}: moved aside`, fixed: true }
      : finding,
  )
}

function isBroken({ kind, fixed }: Finding): boolean {
  return kind === 'integrity' && !fixed
}

/** Waits for earlier writes and their files, at most `timeout` milliseconds, since a lock may delay them. */
async function writesBefore(handle: CacheHandle, timeout: number, signal: AbortSignal | undefined): Promise<void> {
  const writes = handle.shards.filter(({ writer }) => writer.length > 0).map(({ writer }) => writer.settled())
  if (writes.length === 0) return
  const end = new AbortController()
  const signals = signal ? [signal, end.signal] : [end.signal]
  const late = sleep(timeout, undefined, { signal: AbortSignal.any(signals) }).catch(() => signal?.throwIfAborted())
  try {
    await Promise.race([Promise.all(writes), late])
  } finally {
    end.abort()
  }
}
