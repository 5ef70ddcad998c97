import type { Command } from '../command.js'
import type { Context } from '../context.js'
import type { Advice, Severity } from '../doctor/advice.js'
import { collectFacts } from '../doctor/facts.js'
import { judge } from '../doctor/judge.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { targetOf, withProgress } from '../maintenance.js'
import { printable, type Style } from '../output.js'

export const doctor: Command = {
  name: 'doctor',
  summary: 'what is wrong with a cache and its place, and what to do',
  group: 'Care:',
  operands: '',
  options: [{ flags: '--web-user <name>', summary: 'look whether the user of a web server can read the files' }],
  examples: [
    ['doctor ./cache', 'all that is worth knowing; exit code 1 when there is trouble'],
    ['doctor ./cache --web-user www-data', 'why nginx answers 403'],
    ['doctor ./cache --json | jq ".findings[] | select(.severity != \\"ok\\")"', 'for monitoring'],
  ],
  details:
    'Looks at the file system, free space, permissions, versions, settings, and at what crashes left. It changes nothing,\n' +
    'waits for nobody, and does not read values: check compares databases and files.',
  run: runDoctor,
}

const STYLES: Readonly<Record<Severity, Style>> = { trouble: 'red', advice: 'yellow', ok: 'green' }
const WIDTH = 9

async function runDoctor(context: Context): Promise<number> {
  const { options, out } = context
  const target = targetOf(context, { mayBeStrange: true })
  const webUser = options.text('webUser')
  const facts = await withProgress(context, 'looking at files', care => collectFacts(target, webUser, care))
  if (webUser !== undefined && !facts.webUser) {
    throw new UsageError(`there is no user ${webUser} on this machine`)
  }
  const findings = judge(facts)
  const { directory, kind, versions, mount, space } = facts
  await out.show(
    { directory, kind, versions, mount, space, findings },
    findings.flatMap(finding => linesOf(context, finding)),
  )
  return findings.some(({ severity }) => severity === 'trouble') ? EXIT.no : EXIT.done
}

function linesOf({ out }: Context, { severity, what, todo, where = [] }: Advice): string[] {
  const places = where.length > 0 && where[0] !== '.' ? ` [${shortened(where)}]` : ''
  const first = `${out.paint(STYLES[severity], severity.padEnd(WIDTH))}${printable(what + places)}`
  return todo === undefined ? [first] : [first, `${' '.repeat(WIDTH)}→ ${printable(todo)}`]
}

function shortened(places: readonly string[]): string {
  return places.length > 4 ? `${places.slice(0, 3).join(', ')} and ${places.length - 3} more` : places.join(', ')
}
