/**
 * The `code` of a failed system call, such as 'ENOENT'. The class is not asked for: under Jest the errors of Node's
 * modules are of another realm.
 */
export function systemCode(error: unknown): string | undefined {
  return fieldOf(error, 'syscall') === undefined ? undefined : fieldOf(error, 'code')
}

/** A text field of an error. */
export function fieldOf(error: unknown, name: 'code' | 'syscall' | 'path' | 'message'): string | undefined {
  if (typeof error !== 'object' || error === null || !(name in error)) return undefined
  const value: unknown = error[name as keyof typeof error]
  return typeof value === 'string' ? value : undefined
}

/** The file, or a directory on the way to it, is not there, or cannot be for the length of its name. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG'
}

/** No room on the file system, or none left for this user. */
export function isDiskFull(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}
