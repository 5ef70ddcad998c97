import { readdirSync, readlinkSync } from 'node:fs'

/** Value files below a directory that this process has open, those on their way there among them. None outside of Linux. */
export function openFiles(directory: string): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(directory) && /\.val|cache\.db-tmp/.test(path) ? [path] : []
    } catch {
      return []
    }
  })
}
