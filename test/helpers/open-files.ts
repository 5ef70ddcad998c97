import { readdirSync, readlinkSync } from 'node:fs'

/** Value files, those on their way to their places among them. */
const OF_VALUES = /\.val|cache\.db-tmp/

/** Files below a directory that this process has open, value files unless others are asked for. None outside of Linux. */
export function openFiles(directory: string, which: RegExp = OF_VALUES): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(directory) && which.test(path) ? [path] : []
    } catch {
      return []
    }
  })
}
