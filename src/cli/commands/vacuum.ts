import { type VacuumReport, vacuumPlaces } from '../../engine/for-care.js'
import { caredFor, watched } from '../care.js'
import type { Command, Context } from '../command.js'
import { table } from '../output.js'
import { bytesText } from '../units.js'

export const vacuum: Command = {
  name: 'vacuum',
  summary: 'write the databases anew, so that they are as short as they can be',
  group: 'Care:',
  operands: '',
  options: [],
  examples: [
    ['vacuum ./cache', 'after a large clear or evict, when the disk is needed elsewhere'],
    ['vacuum ./cache --timeout 1m', 'where others write much: wait longer for each database'],
  ],
  details:
    'One database after the other. While one is written anew others read it and wait to write to it, some seconds for each\n' +
    'GiB. It takes as much room again as the largest database in the temporary directory ($TMPDIR) and beside it.\n' +
    'A stored auto_vacuum that the file does not have yet takes effect. Value files are not touched.',
  run: runVacuum,
}

async function runVacuum(context: Context): Promise<void> {
  const { directory, places } = caredFor(context)
  const reports = await watched(context, 'vacuuming, bytes', options => vacuumPlaces(directory, places, options))
  const { out } = context
  if (out.json) for (const report of reports) await out.document({ database: nameOf(report), ...sizesOf(report) })
  else for (const line of linesOf(reports)) await out.line(line)
}

function linesOf(reports: readonly VacuumReport[]): string[] {
  const rows = reports.map(report => {
    const { before, after, freed } = sizesOf(report)
    return [nameOf(report), bytesText(before), bytesText(after), bytesText(freed)]
  })
  const freed = reports.reduce((sum, report) => sum + sizesOf(report).freed, 0)
  return [...table(['DATABASE', 'BEFORE', 'AFTER', 'FREED'], rows), `${bytesText(freed)} given back`]
}

function nameOf({ prefix }: VacuumReport): string {
  return prefix === '' ? '.' : prefix.slice(0, -1)
}

function sizesOf({ before, after }: VacuumReport): { before: number; after: number; freed: number } {
  return { before, after, freed: Math.max(0, before - after) }
}
