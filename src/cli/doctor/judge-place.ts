import { bytesText, countText } from '../units.js'
import { type Advice, advice, type Judge, ok, sumOf, trouble } from './advice.js'
import type { ExaminedDatabase, Facts } from './facts.js'

const MIB = 2 ** 20

const NETWORK = 'its locks and shared memory do not reach other machines, and may not hold on this one'
const SHARED = 'locks and shared memory between the host and the guest do not hold'
const MOVE = 'move the cache to a disk of this machine (docs/operations.md, "Moving a cache")'

/**
 * File systems unsuitable for SQLite in WAL mode, which needs all processes on one host. https://sqlite.org/wal.html
 */
const BAD: readonly (readonly [type: RegExp, why: string])[] = [
  [/^(nfs\d?|cifs|smb\d?|smbfs|afs|ncpfs|coda)$/, NETWORK],
  [/^(ceph|lustre|gpfs|beegfs|glusterfs|ocfs2|gfs2?|pvfs2|fuse\.(glusterfs|ceph.*|mfs|juicefs))$/, NETWORK],
  [/^fuse\.(sshfs|s3fs|gcsfuse|rclone|goofys|davfs2?|curlftpfs|blobfuse2?)$/, NETWORK],
  [/^(9p|v9fs|vboxsf|vmhgfs|fuse\.vmhgfs-fuse|prl_fs|drvfs|virtiofs)$/, SHARED],
  [/^(fuse\.)?(grpcfuse|osxfs|fakeowner)$/, SHARED],
]
const DOUBTFUL: readonly (readonly [type: RegExp, why: string, todo: string])[] = [
  [
    /^fuse(blk)?(\..*)?$/,
    'whether locks and shared memory hold depends on its program, and each call goes through it',
    MOVE,
  ],
  [
    /^(overlay|aufs)$/,
    'it belongs to a container: the cache is gone with it, other containers do not see it, and it is slow to change files',
    'put the cache on a volume',
  ],
  [
    /^(tmpfs|ramfs)$/,
    'it lies in memory: the cache is gone at the next start, and takes memory from processes',
    'fine when meant so',
  ],
  [/^(vfat|exfat|msdos|ntfs3?|hfs(plus)?)$/, 'it knows no owners and permissions: every user may read the cache', MOVE],
]

export const judgeFileSystem: Judge = ({ mount }) => {
  const id = 'file-system'
  if (!mount) return [ok(id, 'the kind of the file system is not known here')]
  const where = mount.point === '' ? mount.type : `${mount.type} at ${mount.point}`
  const bad = BAD.find(([type]) => type.test(mount.type))
  if (bad) return [trouble(id, `the file system is ${where}: ${bad[1]}`, MOVE)]
  const doubtful = DOUBTFUL.find(([type]) => type.test(mount.type))
  if (doubtful) return [advice(id, `the file system is ${where}: ${doubtful[1]}`, doubtful[2])]
  return [ok(id, `file system ${where}`)]
}

export const judgeReadonly: Judge = ({ mount, databases, uid }) => {
  if (mount?.readonly) {
    const todo =
      'open it with readonly: true, or mount it writable: writes fail, and a cache without its -wal and -shm files does not even open'
    return [trouble('writable', 'the file system is mounted read-only', todo)]
  }
  const closed = databases.filter(({ writable }) => writable === false)
  if (closed.length === 0) return [ok('writable', 'this user may write')]
  const who = uid === undefined ? 'this user' : `user ${uid}`
  return [
    advice(
      'writable',
      `${who} may only read: the owner of ${closed[0]?.prefix || 'the cache'} is another`,
      'fine for who only looks; a service must be the user that owns the directory',
    ),
  ]
}

export const judgeSpace: Judge = facts => {
  if (!facts.space || facts.space.bytes === 0) return []
  const { bytes, freeBytes, files, freeFiles } = facts.space
  const space = judgeFree({
    id: 'free-space',
    resource: 'the disk',
    share: freeBytes / bytes,
    isExhausted: freeBytes < 16 * MIB,
    what: `${bytesText(freeBytes)} of ${bytesText(bytes)} free`,
    todo: roomOf(facts, bytes),
  })
  if (files === 0) return [space]
  const inodes = judgeFree({
    id: 'free-inodes',
    resource: 'the table of files',
    share: freeFiles / files,
    isExhausted: freeFiles < 1000,
    what: `${countText(freeFiles)} of ${countText(files)} inodes free`,
    todo: 'make room, or store fewer values as files from now on (fanout-cache settings <directory> disk.minFileSize 128KiB); those that are there go with their entries: a lower maxItems, then fanout-cache cull <directory>',
  })
  return [space, inodes]
}

/** The free part of a resource of the file system. */
interface FreePart {
  readonly id: string
  readonly resource: string
  /** From 0 to 1. */
  readonly share: number
  readonly isExhausted: boolean
  readonly what: string
  readonly todo: string
}

function judgeFree({ id, resource, share, isExhausted, what, todo }: FreePart): Advice {
  if (share < 0.02 || isExhausted) {
    return trouble(id, `${what}: ${resource} is all but full, writes will be refused`, todo)
  }
  if (share < 0.1) return advice(id, what, todo)
  return ok(id, what)
}

/** Advice for a full disk, which depends on the share of the cache in it. */
function roomOf(facts: Facts, bytes: number): string {
  const own = ownOf(facts)
  if (own.length === 0) return 'make room'
  const volume = volumeOf(own)
  if (volume < bytes / 10) return `make room elsewhere: the cache takes ${bytesText(volume)}`
  return `make room, or have less: fanout-cache settings <directory> sizeLimit ${mebibytes(volume / 2)}, then fanout-cache cull <directory>`
}

function ownOf({ databases }: Facts): readonly ExaminedDatabase[] {
  return databases.filter(({ role, rows }) => role !== 'below' && rows)
}

function volumeOf(databases: readonly ExaminedDatabase[]): number {
  return sumOf(databases, ({ rows }) => (rows ? rows.pageBytes - rows.freeBytes + rows.fileBytes : 0))
}

function mebibytes(bytes: number): string {
  return `${Math.max(1, Math.floor(bytes / MIB))}MiB`
}

/** Judges whether the limit takes effect before the disk is full. */
export const judgeLimit: Judge = facts => {
  const own = ownOf(facts)
  if (own.length === 0 || !facts.space) return []
  const limit = sumOf(own, ({ rows }) => rows?.settings.sizeLimit ?? 0)
  const volume = volumeOf(own)
  const { freeBytes } = facts.space
  const what = `size ${bytesText(volume)} of ${bytesText(limit)}`
  if (own.some(({ rows }) => rows?.settings.evictionPolicy === 'none')) return [unbounded(what, volume, limit)]
  if (limit - volume > freeBytes) {
    const todo = `lower the limit: fanout-cache settings <directory> sizeLimit ${mebibytes(volume + freeBytes * 0.8)}`
    return [
      advice(
        'size-limit',
        `${what}, and only ${bytesText(freeBytes)} free: the disk is full before anything is evicted`,
        todo,
      ),
    ]
  }
  if (volume > limit * 1.05) return [advice('size-limit', `${what}: above the limit`, 'fanout-cache cull <directory>')]
  return [ok('size-limit', what)]
}

function unbounded(what: string, volume: number, limit: number): Advice {
  if (volume <= limit) return ok('size-limit', `${what}, and nothing is evicted (evictionPolicy none)`)
  const todo =
    'fine for queues and indexes; else fanout-cache settings <directory> evictionPolicy least-recently-stored'
  return advice('size-limit', `${what}: above the limit, and nothing is evicted (evictionPolicy none)`, todo)
}

/** Judges the owners of files. The service may be unable to read or remove files of another owner. */
export const judgeOwners: Judge = facts => {
  if (facts.uid === undefined) return []
  const owners = new Map<number, { count: number; example: string }>()
  for (const { prefix, tree } of facts.databases) {
    for (const { uid, count, example } of tree.nodes) {
      const before = owners.get(uid)
      const path = example === '.' ? prefix || '.' : prefix + example
      owners.set(uid, { count: (before?.count ?? 0) + count, example: before?.example ?? path })
    }
  }
  if (owners.size === 0) return []
  const sorted = [...owners].sort(([, a], [, b]) => b.count - a.count)
  const [[main = 0] = []] = sorted
  if (sorted.length === 1) return [ok('owners', `all of it belongs to user ${main}`)]
  const others = sorted.slice(1).map(([uid, { count, example }]) => `${count} to user ${uid} (${example})`)
  const root = main === 0 ? '' : ', and run what looks after it as that user (sudo -u)'
  return [
    trouble(
      'owners',
      `most of it belongs to user ${main}, but ${others.join(', ')}`,
      `chown -R ${ownerOf(facts, main)} <directory>${root}`,
    ),
  ]
}

function ownerOf({ ways }: Facts, uid: number): string {
  const root = ways.at(-1)
  return root?.uid === uid ? `${uid}:${root.gid}` : String(uid)
}
