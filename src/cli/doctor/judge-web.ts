import { placeOf } from '../maintenance.js'
import { type Advice, advice, type Judge, ok, quoted, trouble } from './advice.js'
import type { Facts, Way } from './facts.js'
import { may, modeText, PASS, READ, type User } from './users.js'

const ID = 'web-server'
const OPTIONS =
  'open the cache with { disk: { directoryMode: 0o2750, fileMode: 0o640 } }, or what is made later is closed again'

/** Judges whether a web server can read value files, which only `sendFile` with `accel` needs. */
export const judgeWebServer: Judge = facts => {
  const { webUser, ways } = facts
  const own = ways.at(-1)
  if (own === undefined || facts.uid === undefined) return []
  if (webUser) return judgeUser(facts, webUser, own)
  if ((own.mode & 0o011) === 0) {
    const what = `${modeText(own.mode)}: only its owner can read the files`
    return [ok(ID, `${what}; where nginx serves them (sendFile with accel), look with doctor --web-user www-data`)]
  }
  if (exposes(facts)) {
    return [
      advice(
        ID,
        `every user of this machine may read the databases (the directory is ${modeText(own.mode)})`,
        `chmod o-rwx ${quoted(own.path)}; for a web server open it to a group instead`,
      ),
    ]
  }
  return [
    ok(
      ID,
      `open to group ${own.gid} (${modeText(own.mode)}); doctor --web-user <name> looks whether one user can read the files`,
    ),
  ]
}

function exposes({ databases, ways }: Facts): boolean {
  const isReachable = ways.every(({ mode }) => (mode & 0o001) !== 0)
  return (
    isReachable &&
    databases.some(({ tree }) => tree.nodes.some(({ kind, mode }) => kind === 'own' && (mode & 0o004) !== 0))
  )
}

function judgeUser(facts: Facts, user: User, own: Way): readonly Advice[] {
  const blocked = facts.ways.find(way => !may(user, way, PASS))
  if (blocked && blocked !== own) {
    return [
      trouble(
        ID,
        `${user.name} may not pass ${blocked.path} (${modeText(blocked.mode)}): it gets 403 for every file`,
        `chmod ${own.gid === blocked.gid ? 'g' : 'o'}+x ${quoted(blocked.path)}`,
      ),
    ]
  }
  const closed = closedTo(facts, user)
  if (!blocked && closed === undefined) return [ok(ID, `${user.name} can read the value files`)]
  const what = blocked ? `the directory (${modeText(own.mode)})` : closed
  return [
    trouble(
      ID,
      `${user.name} may not read ${what}: it gets 403 for them`,
      `${commands(facts, user.name, own)}; ${OPTIONS}`,
    ),
  ]
}

/** Describes the directories and value files that a user cannot read. */
function closedTo({ databases }: Facts, user: User): string | undefined {
  let count = 0
  let first: string | undefined
  for (const database of databases) {
    for (const node of database.tree.nodes) {
      if (node.kind === 'own' || may(user, node, node.kind === 'directory' ? PASS : READ)) continue
      count += node.count
      first ??= `${node.example === '.' ? placeOf(database) : database.prefix + node.example} (${modeText(node.mode)})`
    }
  }
  return count > 1 ? `${first} and ${count - 1} more` : first
}

function commands({ directory }: Facts, group: string, own: Way): string {
  const path = quoted(directory)
  const find = `find ${path}`
  return (
    `chgrp -R ${group} ${path} && ${find} -type d -exec chmod 2750 {} + && ` +
    `${find} -type f -not -name 'cache.db*' -exec chmod 640 {} +${own.uid === 0 ? '' : ' (as its owner, who must be in that group, or as root)'}`
  )
}
