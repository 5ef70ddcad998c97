/** A user with its groups. */
export interface User {
  readonly name: string
  readonly uid: number
  readonly gids: readonly number[]
}

/** Owner and permissions of a file or directory. */
export interface Rights {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

export const READ = 4
export const PASS = 1

/**
 * Finds a user by name or number, with all groups.
 *
 * Source: passwd(5), group(5).
 */
export function findUser(wanted: string, passwd: string, group: string): User | undefined {
  const row = rows(passwd).find(([name, , uid]) => name === wanted || uid === wanted)
  if (!row) return undefined
  const [name = '', , uid = '', gid = ''] = row
  const others = rows(group).filter(([, , , members = '']) => members.split(',').includes(name))
  return { name, uid: Number(uid), gids: [Number(gid), ...others.map(([, , id]) => Number(id))] }
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter(line => line.includes(':'))
    .map(line => line.split(':'))
}

/** Whether the mode grants a user the permissions in `bits`. Access control lists are not considered. */
export function may({ uid, gids }: User, rights: Rights, bits: number): boolean {
  if (uid === 0) return true
  if (rights.uid === uid) return ((rights.mode >> 6) & bits) === bits
  if (gids.includes(rights.gid)) return ((rights.mode >> 3) & bits) === bits
  return (rights.mode & bits) === bits
}

/** Formats a mode: `0750`. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
