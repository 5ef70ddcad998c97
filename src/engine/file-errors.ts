import { constants } from 'node:os'

/**
 * The `code` of a failed system call, such as 'ENOENT'. The class of the error is not checked, because under Jest the
 * errors of Node's modules come from another realm.
 */
export function systemCode(error: unknown): string | undefined {
  return fieldOf(error, 'syscall') === undefined ? undefined : fieldOf(error, 'code')
}

/** A text field of an error. */
export function fieldOf(
  error: unknown,
  name: 'code' | 'syscall' | 'path' | 'name' | 'message' | 'resource',
): string | undefined {
  if (typeof error !== 'object' || error === null || !(name in error)) return undefined
  const value: unknown = error[name as keyof typeof error]
  return typeof value === 'string' ? value : undefined
}

/** Whether a file, or a directory on the way to it, does not exist, or has too long a name to exist. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG'
}

/** Whether the file system, or the quota of this user, is full. Node has a number for the latter, but no code. */
export function isDiskFull(error: unknown): boolean {
  const code = systemCode(error)
  if (code === undefined) return false
  return code === 'ENOSPC' || (error as { readonly errno?: number }).errno === -constants.errno.EDQUOT
}

/** Says why a directory could not be made, by the code of the error. */
export function whyNotMade(code: string): string {
  if (code === 'EEXIST' || code === 'ENOTDIR') return 'is a file, or lies below one'
  return `does not exist and could not be created (${code})`
}
