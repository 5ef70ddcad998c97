/** A mounted file system. */
export interface Mount {
  /** The name of its type in the system: `ext4`, `nfs4`, `fuse.sshfs`. */
  readonly type: string
  readonly point: string
  readonly source: string
  readonly readonly: boolean
}

/**
 * Finds the mount of a path.
 *
 * Source: proc_pid_mountinfo(5): id, parent, device, root, point, options, any number of fields, `-`, type, source,
 * options of the file system.
 *
 * @param mountinfo the text of /proc/self/mountinfo
 * @param path absolute, without links
 */
export function mountOf(mountinfo: string, path: string): Mount | undefined {
  let found: Mount | undefined
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const fields = before.split(' ')
    const point = unescaped(fields[4] ?? '')
    const [type = '', source = '', ...options] = after.split(' ')
    if (point === '' || type === '' || !isBelow(path, point)) continue
    // A later mount hides an earlier one at the same place.
    if (found && point.length < found.point.length) continue
    const flags = `${fields[5] ?? ''},${options.join(' ')}`.split(',')
    found = { type, point, source: unescaped(source), readonly: flags.includes('ro') }
  }
  return found
}

function isBelow(path: string, point: string): boolean {
  return point === '/' || path === point || path.startsWith(`${point}/`)
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** Names of the `type` of statfs(2), for use without a table of mounts. Source: linux/magic.h, statfs(2). */
const MAGIC: Readonly<Record<number, string>> = {
  26985: 'nfs', // 0x6969
  20859: 'smbfs', // 0x517b
  4266872130: 'smb2', // 0xfe534d42
  4283649346: 'cifs', // 0xff534d42
  16914839: '9p', // 0x01021997
  1702057286: 'fuse', // 0x65735546
  2035054128: 'overlay', // 0x794c7630
  16914836: 'tmpfs', // 0x01021994
  2240043254: 'ramfs', // 0x858458f6
  61267: 'ext4', // 0xef53
  1481003842: 'xfs', // 0x58465342
  2435016766: 'btrfs', // 0x9123683e
  801189825: 'zfs', // 0x2fc12fc1
  2020557398: 'vboxsf', // 0x786f4256
  12805120: 'ceph', // 0x00c36400
  198183888: 'lustre', // 0x0bd00bd0
  19780: 'vfat', // 0x4d44
}

/** The type of a file system by its statfs number on Linux, which may be a negative 32-bit number. */
export function fileSystemOf(magic: number): string | undefined {
  return MAGIC[magic >>> 0]
}
