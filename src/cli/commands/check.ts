import { checkPlaces, setAside } from '../../engine/for-maintenance.js'
import type { Finding } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { type Target, targetOf, withProgress } from '../maintenance.js'
import { printable, table } from '../output.js'

export const check: Command = {
  name: 'check',
  summary: 'look for damage, and repair it with --fix',
  group: 'Care:',
  operands: '',
  options: [
    { flags: '--fix', summary: 'repair what is found' },
    {
      flags: '--set-aside',
      summary: 'with --fix: move a database aside that cannot be repaired, and begin an empty one',
    },
  ],
  destroys: true,
  examples: [
    ['check ./cache', 'databases against their files; exit code 1 when something is found'],
    ['check ./cache --fix', 'look, show what was found, ask, repair'],
    ['check ./cache --fix --yes', 'repair at once, for scripts'],
    ['check ./cache --fix --set-aside', 'also give up a database that nothing can read'],
    ['check ./cache --json | jq -r .path', 'a line of JSON for each finding'],
  ],
  details:
    'Covers the databases of the directory and of the caches, deques, indexes and models below it, in a thread of its own.\n' +
    'Services go on meanwhile. Repairing removes entries whose files are missing or not whole, files that no entry names,\n' +
    'and empty folders; it rebuilds indexes and counters. What looks like no file of the cache is told and left alone.',
  run: runCheck,
}

async function runCheck(context: Context): Promise<number> {
  const target = targetOf(context)
  if (context.options.flag('setAside') && !context.options.flag('fix')) {
    throw new UsageError('--set-aside goes with --fix')
  }
  const repairs = context.options.flag('fix') && !context.dryRun
  if (!repairs) return report(context, target, await findDamage(context, target, { fix: false }))
  const isAsked = !context.options.flag('yes')
  if (isAsked) {
    // Fails before minutes are spent on the check.
    context.assertAskable()
    const found = await findDamage(context, target, { fix: false })
    const code = await report(context, target, found)
    if (found.length === 0 || !(await context.confirm(() => 'repair what is found?'))) return code
  }
  const found = await findDamage(context, target, { fix: true })
  return report(context, target, context.options.flag('setAside') ? await giveUp(context, target, found) : found)
}

/** Moves aside databases that cannot be repaired. Resolves to the findings after that. */
async function giveUp(
  context: Context,
  { directory, places }: Target,
  findings: readonly Finding[],
): Promise<readonly Finding[]> {
  const isLost = (prefix: string, { kind, path = '', fixed }: Finding): boolean =>
    kind === 'integrity' && !fixed && path === prefix.replace(/\/$/, '')
  const damaged = places.filter(({ prefix }) => findings.some(finding => isLost(prefix, finding)))
  const moved = await setAside(directory, damaged, context.patience.timeout)
  for (const { path } of moved) context.note(`moved aside: ${path}`)
  return findings.map(finding => {
    const isGone = moved.some(({ place }) => isLost(place.prefix, finding))
    return isGone ? { ...finding, message: `${finding.message} (moved aside)`, fixed: true } : finding
  })
}

function findDamage(
  context: Context,
  { directory, places }: Target,
  { fix }: { readonly fix: boolean },
): Promise<readonly Finding[]> {
  return withProgress(context, fix ? 'repairing' : 'checking', options =>
    checkPlaces(directory, places, { ...options, fix }),
  )
}

async function report(context: Context, { places }: Target, findings: readonly Finding[]): Promise<number> {
  const { out } = context
  const left = findings.filter(({ fixed }) => !fixed)
  if (out.json) for (const finding of findings) await out.document(finding)
  else {
    for (const line of linesOf(findings)) await out.line(line)
    await out.line(summary(findings.length, left.length, places.length))
  }
  if (left.some(({ kind }) => kind === 'integrity') && context.options.flag('fix') && !context.dryRun) {
    context.note('a database is damaged beyond repair: --set-aside moves it aside, and an empty one takes its place')
  }
  return left.length > 0 ? EXIT.no : EXIT.done
}

function linesOf(findings: readonly Finding[]): string[] {
  if (findings.length === 0) return []
  const rows = findings.map(({ kind, message, path = '', fixed }) => [
    kind,
    fixed ? 'repaired' : 'found',
    printable(path),
    printable(message),
  ])
  return table(['KIND', 'STATE', 'PATH', 'WHAT'], rows)
}

function summary(found: number, left: number, databases: number): string {
  const where = `${databases} ${databases === 1 ? 'database' : 'databases'}`
  if (found === 0) return `nothing found in ${where}`
  return `${found} found in ${where}, ${found - left} repaired, ${left} left`
}
