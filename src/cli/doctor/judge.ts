import { type Advice, quoted, type Severity } from './advice.js'
import type { Facts } from './facts.js'
import { judgeDatabases } from './judge-databases.js'
import { judgeLeftovers, judgeLocks } from './judge-leftovers.js'
import { judgeFileSystem, judgeLimit, judgeOwners, judgeReadonly, judgeSpace } from './judge-place.js'
import { judgeSettings } from './judge-settings.js'
import { judgeVersions } from './judge-versions.js'
import { judgeWebServer } from './judge-web.js'

const JUDGES = [
  judgeVersions,
  judgeFileSystem,
  judgeReadonly,
  judgeSpace,
  judgeLimit,
  judgeOwners,
  judgeWebServer,
  judgeDatabases,
  judgeSettings,
  judgeLeftovers,
  judgeLocks,
]

const ORDER: readonly Severity[] = ['trouble', 'advice', 'ok']

/** Judges all facts, and sorts the advice with the worst first. Commands in it name the directory. */
export function judge(facts: Facts): readonly Advice[] {
  const named = (advice: Advice): Advice => ({
    ...advice,
    todo: advice.todo?.replaceAll('<directory>', quoted(facts.directory)),
  })
  return JUDGES.flatMap(each => each(facts))
    .map(named)
    .sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity))
}
