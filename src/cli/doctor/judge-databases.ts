import type { DatabaseTrouble } from '../../engine/for-maintenance.js'
import { placesOf } from '../maintenance.js'
import { bytesText, countText, durationText } from '../units.js'
import { type Advice, advice, counted, databasesWhere, type Judge, ok, sumOf, trouble } from './advice.js'
import type { ExaminedDatabase, Facts } from './facts.js'

const MIB = 2 ** 20
/** A log that is too long. Normally it is copied to the database in time, and has up to 16 MiB. */
const LONG_LOG_BYTES = 64 * MIB
/** Tolerated difference of clocks. Clocks synchronised by NTP differ by less. */
const SKEW_MILLISECONDS = 60_000

const TROUBLES: Readonly<Record<DatabaseTrouble['kind'], readonly [what: string, todo: string]>> = {
  damaged: [
    'cannot be read',
    'fanout-cache check <directory> --fix --set-aside, after docs/operations.md, "A damaged database"',
  ],
  schema: [
    'is none that this version knows',
    'if another program made it, leave it alone; if it was tampered with or its making was stopped, move the directory away',
  ],
  locked: [
    'was locked by others all the time',
    'who holds it: fuser -v <directory>/cache.db (or fuser -v <directory>/*/cache.db); a transaction that never ends, or a stopped process',
  ],
  closed: [
    'cannot be opened',
    'run this as the user that owns it; on a read-only or full file system a WAL database opens only beside its -wal and -shm files',
  ],
}

/** Judges databases that could not be examined. */
const judgeOpening: Judge = ({ databases }) => {
  const found = databases.filter(({ exists }) => exists)
  const findings = found.flatMap(database => {
    if (!database.trouble) return []
    const { kind, message } = database.trouble
    const [what, todo] = TROUBLES[kind]
    return [trouble('database', `the database ${what}: ${message}`, todo, placesOf([database]))]
  })
  if (findings.length > 0) return findings
  return [ok('database', `${counted(found.length, 'database', 'databases')}, all readable`)]
}

/** Judges the numbered directories: up to the highest none may be missing or foreign. */
const judgeShards: Judge = ({ kind, databases, strangers }) => {
  if (kind !== 'FanoutCache') return []
  const shards = databases.filter(({ role }) => role === 'shard')
  const missing = shards.filter(({ exists }) => !exists)
  const beside: Advice[] =
    strangers.length === 0
      ? []
      : [
          advice(
            'strangers',
            `${counted(strangers.length, 'file', 'files')} beside the shards: ${strangers.slice(0, 3).join(', ')}`,
            'nobody looks at them; remove them if you know them',
          ),
        ]
  if (missing.length === 0) return [ok('shards', `${shards.length} shards`), ...beside]
  const todo =
    'if one was removed, it is made again, empty, by the next write; if a directory with a number does not belong here, ' +
    'move it away: the number of shards follows the highest, and with another number keys are not found'
  return [
    trouble('shards', `${missing.length} of ${shards.length} shards have no database`, todo, placesOf(missing)),
    ...beside,
  ]
}

const judgeJournal: Judge = facts => {
  const slow = databasesWhere(facts, ({ journalMode }) => journalMode !== 'wal')
  if (slow.length === 0) return [ok('journal-mode', 'write-ahead log')]
  const modes = [...new Set(slow.map(({ rows }) => rows?.journalMode))].join(', ')
  return [
    advice(
      'journal-mode',
      `journal mode ${modes}: who writes waits for all who read, and they for it`,
      'fanout-cache settings <directory> sqlite.journalMode wal',
      placesOf(slow),
    ),
  ]
}

const judgeLog: Judge = ({ databases }) => {
  const total = sumOf(databases, ({ logBytes }) => logBytes)
  const long = databases.filter(({ logBytes }) => logBytes > LONG_LOG_BYTES)
  if (long.length === 0) return [ok('log', `${bytesText(total)} of write-ahead log`)]
  const most = Math.max(...long.map(({ logBytes }) => logBytes))
  return [
    advice(
      'log',
      `a write-ahead log of ${bytesText(most)}: somebody reads for so long that it cannot be copied back, or it was left by a crash`,
      'end the process that reads (fuser -v <directory>/cache.db-wal); the log is copied back by the next writes, fanout-cache vacuum <directory> shortens it at once',
      placesOf(long),
    ),
  ]
}

const judgeTriggers: Judge = facts => {
  const python = databasesWhere(facts, ({ pythonTriggers }) => pythonTriggers)
  if (python.length === 0) return []
  const what =
    'made by Python, and only read from here so far: its triggers are rewritten by the first write (Python goes on with both)'
  return [advice('python-triggers', what, 'nothing', placesOf(python))]
}

/** Judges store times in the future: such entries expire late and count as newer than entries stored now. */
const judgeClock: Judge = facts => {
  const { now } = facts
  const ahead = databasesWhere(facts, ({ newestEntry = 0 }) => newestEntry > now + SKEW_MILLISECONDS)
  if (ahead.length === 0) return [ok('clock', 'no entry is from the future')]
  const most = Math.max(...ahead.map(({ rows }) => (rows?.newestEntry ?? now) - now))
  return [
    trouble(
      'clock',
      `entries were stored ${durationText(most)} in the future: the clock of this machine is behind, or one was ahead`,
      'set the clocks (timedatectl status; containers use that of their machine); entries of the future expire late by as much',
      placesOf(ahead),
    ),
  ]
}

const judgeFreePages: Judge = facts => {
  const loose = databasesWhere(facts, ({ freeBytes, pageBytes }) => freeBytes > 32 * MIB && freeBytes > pageBytes / 4)
  if (loose.length === 0) return []
  const bytes = sumOf(loose, ({ rows }) => rows?.freeBytes ?? 0)
  const what = `${bytesText(bytes)} of the databases are free pages: room for entries, not for other files`
  return [
    advice('free-pages', what, 'fanout-cache vacuum <directory>, if the disk is needed elsewhere', placesOf(loose)),
  ]
}

const judgeExpired: Judge = facts => {
  const entries = sumOf(facts.databases, ({ rows }) => rows?.entries ?? 0)
  const expired = sumOf(facts.databases, ({ rows }) => rows?.expired ?? 0)
  const files = counted(
    sumOf(facts.databases, ({ tree }) => tree.files),
    'value file',
    'value files',
  )
  const what = `${counted(entries, 'entry', 'entries')}, ${countText(expired)} expired, ${files}`
  if (expired < 10_000 || expired < entries / 4) return [ok('entries', what)]
  const todo = 'writes remove a few each; fanout-cache expire <directory> removes all now, upkeep does it always'
  return [advice('entries', what, todo)]
}

/** Judges the caches below this one, which have limits of their own. */
const judgeBelow: Judge = ({ databases }) => {
  const below = databases.filter(({ role }) => role === 'below')
  if (below.length === 0) return []
  const bytes = sumOf(below, ({ rows }) => (rows ? rows.pageBytes + rows.fileBytes : 0))
  const names = below.slice(0, 5).map(nameOf).join(', ')
  const more = below.length > 5 ? ', …' : ''
  return [
    ok(
      'below',
      `${counted(below.length, 'cache', 'caches')} below it with limits of their own, ${bytesText(bytes)}: ${names}${more}`,
    ),
  ]
}

function nameOf({ prefix, rows }: ExaminedDatabase): string {
  return `${prefix.slice(0, -1)} (${counted(rows?.entries ?? 0, 'entry', 'entries')})`
}

export function judgeDatabases(facts: Facts): readonly Advice[] {
  const judges = [
    judgeOpening,
    judgeShards,
    judgeExpired,
    judgeBelow,
    judgeJournal,
    judgeLog,
    judgeTriggers,
    judgeClock,
    judgeFreePages,
  ]
  return judges.flatMap(judge => judge(facts))
}
