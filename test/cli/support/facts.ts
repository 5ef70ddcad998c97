import type { ExaminedDatabase, Facts } from '../../../src/cli/doctor/facts.js'

export type Rows = NonNullable<ExaminedDatabase['rows']>
export type Tree = ExaminedDatabase['tree']

export const MIB = 2 ** 20
export const GIB = 2 ** 30
export const NOW = Date.UTC(2026, 0, 1)
export const NOTHING = { count: 0, bytes: 0, example: undefined }

export const ROWS: Rows = {
  journalMode: 'wal',
  pageBytes: 10 * MIB,
  freeBytes: 0,
  pythonTriggers: false,
  settings: {
    statistics: false,
    tagIndex: false,
    evictionPolicy: 'least-recently-stored',
    sizeLimit: GIB,
    maxItems: null,
    cullLimit: 10,
    minFileSize: 32_768,
    unlinkGrace: 0,
    cacheSize: 8192,
    mmapSize: 2 ** 26,
    journalMode: 'wal',
    synchronous: 1,
    autoVacuum: 1,
    pickleProtocol: 5,
    realSizeLimit: false,
  },
  entries: 1000,
  expired: 10,
  fileBytes: 50 * MIB,
  newestEntry: NOW - 1000,
  endedLeases: 0,
  endlessLocks: 0,
}

export const TREE: Tree = {
  files: 10,
  fullestFolder: 1,
  orphans: NOTHING,
  foreign: NOTHING,
  temporary: NOTHING,
  quarantines: [],
  moving: [],
  nodes: [
    { kind: 'directory', uid: 1000, gid: 1000, mode: 0o700, count: 11, example: '.' },
    { kind: 'value', uid: 1000, gid: 1000, mode: 0o600, count: 10, example: 'aa/bb/0.val' },
    { kind: 'own', uid: 1000, gid: 1000, mode: 0o600, count: 1, example: 'cache.db' },
  ],
  closed: [],
}

export const DATABASE: ExaminedDatabase = {
  prefix: '',
  role: 'cache',
  exists: true,
  writable: true,
  logBytes: 4 * MIB,
  trouble: undefined,
  rows: ROWS,
  tree: TREE,
}

export const HEALTHY: Facts = {
  directory: '/srv/cache',
  kind: 'Cache',
  now: NOW,
  versions: { package: '1.0.0', node: '22.12.0', driver: '12.11.1', sqlite: '3.51.0' },
  mount: { type: 'ext4', point: '/', source: '/dev/sda1', readonly: false },
  space: { bytes: 100 * GIB, freeBytes: 50 * GIB, files: 1_000_000, freeFiles: 900_000 },
  ways: [
    { path: '/', uid: 0, gid: 0, mode: 0o755 },
    { path: '/srv', uid: 0, gid: 0, mode: 0o755 },
    { path: '/srv/cache', uid: 1000, gid: 1000, mode: 0o700 },
  ],
  uid: 1000,
  webUser: undefined,
  strangers: [],
  imports: [],
  databases: [DATABASE],
}

export const withDatabase = (change: Partial<ExaminedDatabase>): Facts => ({
  ...HEALTHY,
  databases: [{ ...DATABASE, ...change }],
})
export const withRows = (change: Partial<Rows>): Facts => withDatabase({ rows: { ...ROWS, ...change } })
export const withSettings = (change: Partial<Rows['settings']>): Facts =>
  withRows({ settings: { ...ROWS.settings, ...change } })
export const withTree = (change: Partial<Tree>): Facts => withDatabase({ tree: { ...TREE, ...change } })
export const withMount = (type: string, readonly = false): Facts => ({
  ...HEALTHY,
  mount: { type, point: '/srv', source: 'x', readonly },
})
export const withSpace = (change: object): Facts => ({
  ...HEALTHY,
  space: { bytes: 100 * GIB, freeBytes: 50 * GIB, files: 1e6, freeFiles: 9e5, ...change },
})
export const withVersions = (change: object): Facts => ({ ...HEALTHY, versions: { ...HEALTHY.versions, ...change } })

/** A FanoutCache of four shards, of which some are different. */
export function withShards(changes: Readonly<Record<number, Partial<ExaminedDatabase>>>): Facts {
  const databases = [0, 1, 2, 3].map(at => ({
    ...DATABASE,
    prefix: `00${at}/`,
    role: 'shard' as const,
    ...changes[at],
  }))
  return { ...HEALTHY, kind: 'FanoutCache', databases }
}

/** As the directory of docs/send-file.md, opened to a group. */
export function openToGroup(uid: number, gids: readonly number[], changes: Partial<Tree> = {}): Facts {
  const nodes: Tree['nodes'] = [
    { kind: 'directory', uid: 1000, gid: 33, mode: 0o2750, count: 3, example: '.' },
    { kind: 'value', uid: 1000, gid: 33, mode: 0o640, count: 9, example: 'aa/bb/0.val' },
    { kind: 'own', uid: 1000, gid: 33, mode: 0o600, count: 3, example: 'cache.db' },
  ]
  return {
    ...withTree({ nodes, ...changes }),
    ways: [...HEALTHY.ways.slice(0, 2), { path: '/srv/cache', uid: 1000, gid: 33, mode: 0o2750 }],
    webUser: { name: 'www-data', uid, gids },
  }
}
