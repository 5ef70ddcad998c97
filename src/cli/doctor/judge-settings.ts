import type { StoredSettings } from '../../engine/for-maintenance.js'
import { placesOf } from '../maintenance.js'
import { bytesText } from '../units.js'
import { type Advice, advice, databasesWhere, type Judge, ok } from './advice.js'
import type { Facts } from './facts.js'

interface Rule {
  readonly id: string
  readonly hurts: (settings: StoredSettings, facts: Facts) => boolean
  readonly what: (settings: StoredSettings) => string
  readonly todo: string
}

const DEFAULT_MMAP = 2 ** 26

const RULES: readonly Rule[] = [
  {
    id: 'synchronous',
    hurts: ({ synchronous }) => synchronous === 0,
    what: () => 'synchronous is 0: a power failure can damage the databases',
    todo: 'fanout-cache settings <directory> sqlite.synchronous 1',
  },
  {
    id: 'synchronous',
    hurts: ({ synchronous }) => synchronous > 1,
    what: ({ synchronous }) =>
      `synchronous is ${synchronous}: every commit waits for the disk, which a cache seldom needs`,
    todo: 'fanout-cache settings <directory> sqlite.synchronous 1, unless the last seconds before a power failure must not be lost',
  },
  {
    id: 'mmap-size',
    hurts: ({ mmapSize }) => mmapSize > DEFAULT_MMAP,
    what: ({ mmapSize }) =>
      `mmap_size is ${bytesText(mmapSize)}: a process that has the file mapped is killed (SIGBUS) when somebody shortens it or the disk fails`,
    todo: 'fanout-cache settings <directory> sqlite.mmapSize 0; Python maps as much as is stored, Node only what its options ask for',
  },
  {
    id: 'statistics',
    hurts: ({ statistics }) => statistics,
    what: () => 'statistics are on: every read is counted; in Python each get becomes a write that takes the lock',
    todo: 'fanout-cache settings <directory> statistics off, when they have been seen',
  },
  {
    id: 'cull-limit',
    hurts: ({ cullLimit, evictionPolicy }) => cullLimit === 0 && evictionPolicy !== 'none',
    what: () => 'cull_limit is 0: writes neither expire nor evict',
    todo: 'run upkeep or a timer (fanout-cache cull <directory>), or: fanout-cache settings <directory> cullLimit 10',
  },
  {
    id: 'min-file-size',
    hurts: ({ minFileSize }) => minFileSize < 1024,
    what: ({ minFileSize }) =>
      `values from ${minFileSize} bytes on are files: each takes a block, an inode and a folder`,
    todo: 'fanout-cache settings <directory> disk.minFileSize 32KiB, for values that are stored later',
  },
]

/** Judges settings: harmful ones, each with its reason, and those that differ between shards. */
export const judgeSettings: Judge = facts => {
  const findings: Advice[] = RULES.flatMap(({ id, hurts, what, todo }) => {
    const [first, ...others] = databasesWhere(facts, ({ settings }) => hurts(settings, facts))
    return first?.rows ? [advice(id, what(first.rows.settings), todo, placesOf([first, ...others]))] : []
  })
  findings.push(...differing(facts))
  return findings.length === 0 ? [ok('settings', 'no setting hurts')] : findings
}

const SAME: readonly (keyof StoredSettings)[] = [
  'evictionPolicy',
  'sizeLimit',
  'cullLimit',
  'statistics',
  'minFileSize',
]

function differing(facts: Facts): Advice[] {
  const shards = facts.databases.filter(({ role, rows }) => role === 'shard' && rows)
  const names = SAME.filter(name => new Set(shards.map(({ rows }) => rows?.settings[name])).size > 1)
  if (names.length === 0) return []
  const todo = 'set them again for all: fanout-cache settings <directory> <name> <value>'
  return [advice('settings-differ', `shards differ in ${names.join(', ')}: one was made anew, or set by itself`, todo)]
}
