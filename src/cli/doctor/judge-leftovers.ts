import { placesOf } from '../maintenance.js'
import { bytesText, countText } from '../units.js'
import { type Advice, advice, counted, databasesWhere, type Judge, ok, sumOf, trouble } from './advice.js'
import type { ExaminedDatabase, Facts } from './facts.js'

const FULL_FOLDER = 1000

type PileName = 'orphans' | 'foreign' | 'temporary'

/** Judges files left by crashes, foreign programs and repairs. */
export const judgeLeftovers: Judge = facts => {
  const findings = [
    ...pile(
      facts,
      'orphans',
      ['value file', 'value files'],
      'that no entry names, older than an hour',
      'fanout-cache check <directory> --fix',
    ),
    ...pile(
      facts,
      'foreign',
      ['file', 'files'],
      'that look like none of the cache’s',
      'nobody looks at them, clear leaves them: remove them if you know them',
    ),
    ...pile(
      facts,
      'temporary',
      ['value', 'values'],
      'whose writer ended before they were complete, older than an hour',
      'every Node process that keeps the cache open removes them within the hour; with none, remove cache.db-tmp-* by hand',
    ),
    ...imports(facts),
    ...movedAside(facts),
    ...folders(facts),
  ]
  return findings.length === 0 ? [ok('leftovers', 'nothing left by crashes')] : findings
}

function pile(
  { databases }: Facts,
  name: PileName,
  [one, many]: readonly [string, string],
  what: string,
  todo: string,
): Advice[] {
  const found = databases.filter(({ tree }) => tree[name].count > 0)
  const count = sumOf(found, ({ tree }) => tree[name].count)
  const [first] = found
  if (!first) return []
  const example = first.prefix + first.tree[name].example
  const bytes = bytesText(sumOf(found, ({ tree }) => tree[name].bytes))
  return [advice(name, `${counted(count, one, many)} (${bytes}) ${what}, such as ${example}`, todo, placesOf(found))]
}

function imports({ imports: left }: Facts): Advice[] {
  const [first] = left
  if (!first) return []
  const bytes = bytesText(left.reduce((sum, stage) => sum + stage.bytes, 0))
  return [
    advice(
      'imports',
      `${counted(left.length, 'import', 'imports')} ended in the middle and left ${bytes}, such as ${first.path}`,
      'the next import removes it, and so does every Node process that keeps the cache open, within the hour; with none, remove it by hand, then fanout-cache check <directory> --fix',
    ),
  ]
}

function movedAside({ databases }: Facts): Advice[] {
  const names = (pick: (database: ExaminedDatabase) => readonly string[]): string[] =>
    databases.flatMap(database => pick(database).map(name => database.prefix + name))
  const aside = names(({ tree }) => tree.quarantines)
  const moving = names(({ tree }) => tree.moving)
  return [
    ...aside.map(path =>
      advice(
        'quarantine',
        `a damaged database was moved aside: ${path}`,
        'look why (disk, memory, a copy of a live cache), then remove it: nothing reads it',
      ),
    ),
    ...moving.map(path =>
      trouble(
        'quarantine',
        `a process ended while it moved a damaged database aside: ${path}`,
        'the next process that opens the cache to write ends it: fanout-cache expire <directory>',
      ),
    ),
  ]
}

function folders({ databases }: Facts): Advice[] {
  const full = databases.filter(({ tree }) => tree.fullestFolder > FULL_FOLDER)
  const findings: Advice[] = []
  if (full.length > 0) {
    const most = Math.max(...full.map(({ tree }) => tree.fullestFolder))
    findings.push(
      advice(
        'folders',
        `${countText(most)} value files in one folder: some file systems are slow with so many`,
        'a Disk of one’s own in Python chooses such names; the default spreads them',
        placesOf(full),
      ),
    )
  }
  const closed = databases.filter(({ tree }) => tree.closed.length > 0)
  const [first] = closed
  if (first) {
    findings.push(
      trouble(
        'folders',
        `this user may not look into ${first.prefix}${first.tree.closed[0]}`,
        'run this as the user that owns the cache; chown -R, if the service may not either',
        placesOf(closed),
      ),
    )
  }
  return findings
}

/** Judges locks and leases of processes that have ended. */
export const judgeLocks: Judge = facts => {
  const endless = databasesWhere(facts, ({ endlessLocks }) => endlessLocks > 0)
  const ended = sumOf(facts.databases, ({ rows }) => rows?.endedLeases ?? 0)
  const findings: Advice[] = []
  if (endless.length > 0) {
    const count = sumOf(endless, ({ rows }) => rows?.endlessLocks ?? 0)
    findings.push(
      advice(
        'locks',
        `${counted(count, 'entry', 'entries')} of Python with the value None, without an expiry, older than an hour: its Lock looks so, and stays when its holder dies`,
        'if a lock is waited for in vain: fanout-cache delete <directory> <key>; in Python use Lock(cache, key, expire=60)',
        placesOf(endless),
      ),
    )
  }
  const what =
    ended === 0
      ? 'no lease is overdue'
      : `${counted(ended, 'lease', 'leases')} ended without being given back: whoever asks next gets them`
  return [...findings, ok('leases', what)]
}
