import { type DatabaseFacts, examinePlaces, type VacuumReport, vacuumPlaces } from '../../engine/for-maintenance.js'
import type { Command } from '../command.js'
import { DRY_RUN } from '../common-options.js'
import type { Context } from '../context.js'
import { CliError, EXIT } from '../exit-codes.js'
import { placeOf, type Target, targetOf, withProgress } from '../maintenance.js'
import { table } from '../output.js'
import { bytesText } from '../units.js'

export const vacuum: Command = {
  name: 'vacuum',
  summary: 'write the databases anew, so that they are as short as they can be',
  group: 'Care:',
  operands: '',
  options: [DRY_RUN],
  examples: [
    ['vacuum ./cache', 'after a large clear or evict, when the disk is needed elsewhere'],
    ['vacuum ./cache --dry-run', 'what it would give back at least'],
    ['vacuum ./cache --timeout 1m', 'where others write much: wait longer for each database'],
  ],
  details:
    'One database after the other. While one is written anew others read it and wait to write to it, some seconds for each\n' +
    'GiB. It takes as much room again as the largest database in the temporary directory ($TMPDIR) and beside it.\n' +
    'A stored auto_vacuum that the file does not have yet takes effect. Value files are not touched.',
  run: runVacuum,
}

async function runVacuum(context: Context): Promise<void> {
  const target = targetOf(context)
  const { out, dryRun } = context
  const reports = dryRun ? await foreseen(context, target) : await vacuumed(context, target)
  if (out.json) {
    for (const report of reports) await out.document({ database: placeOf(report), ...sizesOf(report), dryRun })
  } else for (const line of linesOf(reports, dryRun)) await out.line(line)
}

function vacuumed(context: Context, { directory, places }: Target): Promise<readonly VacuumReport[]> {
  return withProgress(context, 'vacuuming, bytes', options => vacuumPlaces(directory, places, options))
}

/** The bytes of free pages, which is the least that a vacuum frees. Half-empty pages add to it. */
async function foreseen(context: Context, { directory, places }: Target): Promise<readonly VacuumReport[]> {
  const facts = await withProgress(context, 'looking at files', options => examinePlaces(directory, places, options))
  return facts.filter(({ exists }) => exists).map(each => foreseenOf(directory, each))
}

function foreseenOf(directory: string, { prefix, rows, trouble }: DatabaseFacts): VacuumReport {
  if (rows) return { prefix, before: rows.pageBytes, after: rows.pageBytes - rows.freeBytes }
  const code = trouble?.kind === 'locked' ? EXIT.locked : EXIT.storage
  throw new CliError(code, `the database in ${directory}/${prefix} cannot be looked into: ${trouble?.message ?? ''}`)
}

function linesOf(reports: readonly VacuumReport[], dryRun: boolean): string[] {
  const rows = reports.map(report => {
    const { before, after, freed } = sizesOf(report)
    return [placeOf(report), bytesText(before), bytesText(after), bytesText(freed)]
  })
  const freed = reports.reduce((sum, report) => sum + sizesOf(report).freed, 0)
  return [
    ...table(['DATABASE', 'BEFORE', 'AFTER', 'FREED'], rows),
    `${bytesText(freed)} ${dryRun ? 'or more would be ' : ''}given back`,
  ]
}

function sizesOf({ before, after }: VacuumReport): { before: number; after: number; freed: number } {
  return { before, after, freed: Math.max(0, before - after) }
}
