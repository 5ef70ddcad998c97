import { describe, expect, it } from 'vitest'
import type { Facts } from '../../src/cli/doctor/facts.js'
import { judge } from '../../src/cli/doctor/judge.js'
import { fileSystemOf, mountOf } from '../../src/cli/doctor/mounts.js'
import { findUser, may } from '../../src/cli/doctor/users.js'
import {
  DATABASE,
  GIB,
  HEALTHY,
  MIB,
  NOW,
  openToGroup,
  ROWS,
  TREE,
  type Tree,
  withDatabase,
  withMount,
  withRows,
  withSettings,
  withShards,
  withSpace,
  withTree,
  withVersions,
} from './support/facts.js'

describe('the doctor', () => {
  it('finds nothing to do about a healthy cache', () => {
    expect(judge(HEALTHY).filter(({ severity }) => severity !== 'ok')).toEqual([])
    expect(judge(withShards({})).filter(({ severity }) => severity !== 'ok')).toEqual([])
  })

  it('says what to do about everything that is not good', () => {
    const facts = { ...withMount('nfs4'), ...withSettings({ synchronous: 0 }) }
    for (const { severity, todo } of judge(facts)) if (severity !== 'ok') expect(todo).toBeTruthy()
  })

  it('tells the worst first, and names the directory in commands, quoted', () => {
    const facts = { ...withSettings({ statistics: true }), directory: "/srv/it's mine", mount: withMount('nfs').mount }
    const findings = judge(facts)
    expect(findings.map(({ severity }) => severity).slice(0, 3)).toEqual(['trouble', 'advice', 'ok'])
    expect(findings[1]?.todo).toContain(`fanout-cache settings '/srv/it'\\''s mine' statistics off`)
  })

  it('says what relieves a disk that fills: less in the cache where that takes much of it, room elsewhere where not', () => {
    const todoOf = (bytes: number): string | undefined => {
      const { space } = withSpace({ bytes, freeBytes: bytes / 100 })
      return judge({ ...HEALTHY, ...(space && { space }) }).find(({ id }) => id === 'free-space')?.todo
    }
    const volume = DATABASE.rows ? DATABASE.rows.pageBytes - DATABASE.rows.freeBytes + DATABASE.rows.fileBytes : 0
    expect(todoOf(volume * 100)).toMatch(/^make room elsewhere: the cache takes /)
    expect(todoOf(volume * 2)).toContain(
      `sizeLimit ${Math.max(1, Math.floor(volume / 2 / MIB))}MiB, then fanout-cache cull ${HEALTHY.directory}`,
    )
    const inodes = judge(withSpace({ freeFiles: 500 })).find(({ id }) => id === 'free-inodes')
    expect(inodes?.todo).toMatch(/disk\.minFileSize 128KiB.* maxItems, then fanout-cache cull \/srv\/cache$/)
  })

  const PLACE: readonly (readonly [what: string, facts: Facts, id: string, severity: string, words: RegExp])[] = [
    ['NFS', withMount('nfs4'), 'file-system', 'trouble', /nfs4 at \/srv.*do not reach other machines/],
    ['SMB', withMount('cifs'), 'file-system', 'trouble', /cifs/],
    ['a folder of VirtualBox', withMount('vboxsf'), 'file-system', 'trouble', /host and the guest/],
    ['a folder over 9p', withMount('9p'), 'file-system', 'trouble', /host and the guest/],
    ['a folder over virtiofs', withMount('virtiofs'), 'file-system', 'trouble', /host and the guest/],
    ['a folder of Docker Desktop', withMount('fuse.grpcfuse'), 'file-system', 'trouble', /host and the guest/],
    ['sshfs', withMount('fuse.sshfs'), 'file-system', 'trouble', /do not reach/],
    ['another FUSE', withMount('fuse.mergerfs'), 'file-system', 'advice', /its program/],
    ['a layer of a container', withMount('overlay'), 'file-system', 'advice', /container/],
    ['memory', withMount('tmpfs'), 'file-system', 'advice', /memory/],
    ['a disk', withMount('xfs'), 'file-system', 'ok', /xfs at \/srv/],
    ['what is not known', { ...HEALTHY, mount: undefined }, 'file-system', 'ok', /not known/],
    ['a read-only mount', withMount('ext4', true), 'writable', 'trouble', /mounted read-only/],
    ['another user', withDatabase({ writable: false }), 'writable', 'advice', /user 1000 may only read/],
    ['a full disk', withSpace({ freeBytes: GIB }), 'free-space', 'trouble', /1\.0 GiB of 100\.0 GiB free.*refused/],
    ['a disk that fills', withSpace({ freeBytes: 5 * GIB }), 'free-space', 'advice', /5\.0 GiB/],
    ['no inodes left', withSpace({ freeFiles: 500 }), 'free-inodes', 'trouble', /500 of 1,000,000 inodes/],
    ['a file system without inodes', withSpace({ files: 0, freeFiles: 0 }), 'free-space', 'ok', /50\.0 GiB/],
    [
      'a limit beyond the disk',
      withSettings({ sizeLimit: 200 * GIB }),
      'size-limit',
      'advice',
      /before anything is evicted/,
    ],
    [
      'a cache above its limit',
      withSettings({ sizeLimit: 20 * MIB }),
      'size-limit',
      'advice',
      /60\.0 MiB of 20\.0 MiB: above/,
    ],
    [
      'a cache without eviction',
      withSettings({ sizeLimit: 20 * MIB, evictionPolicy: 'none' }),
      'size-limit',
      'advice',
      /nothing is evicted/,
    ],
  ]
  it.each(PLACE)('judges the place: %s', (_, facts, id, severity, words) => {
    const finding = judge(facts).find(each => each.id === id)
    expect(finding).toMatchObject({ severity, what: expect.stringMatching(words) })
  })

  const DATABASES: readonly (readonly [what: string, facts: Facts, id: string, severity: string, words: RegExp])[] = [
    [
      'damaged',
      withShards({ 2: { trouble: { kind: 'damaged', message: 'malformed' }, rows: undefined } }),
      'database',
      'trouble',
      /cannot be read: malformed/,
    ],
    [
      'of somebody else',
      withDatabase({ trouble: { kind: 'schema', message: 'strange' }, rows: undefined }),
      'database',
      'trouble',
      /none that this version knows/,
    ],
    [
      'locked',
      withDatabase({ trouble: { kind: 'locked', message: 'locked' }, rows: undefined }),
      'database',
      'trouble',
      /locked by others/,
    ],
    [
      'forbidden',
      withDatabase({ trouble: { kind: 'closed', message: 'unable' }, rows: undefined }),
      'database',
      'trouble',
      /cannot be opened/,
    ],
    ['a missing shard', withShards({ 1: { exists: false, rows: undefined } }), 'shards', 'trouble', /1 of 4 shards/],
    [
      'a file beside the shards',
      { ...withShards({}), strangers: ['core'] },
      'strangers',
      'advice',
      /1 file beside the shards: core/,
    ],
    ['a rollback journal', withRows({ journalMode: 'delete' }), 'journal-mode', 'advice', /journal mode delete/],
    ['a long log', withDatabase({ logBytes: 900 * MIB }), 'log', 'advice', /900\.0 MiB/],
    ['triggers of Python', withRows({ pythonTriggers: true }), 'python-triggers', 'advice', /made by Python/],
    ['a clock that is behind', withRows({ newestEntry: NOW + 7_200_000 }), 'clock', 'trouble', /2h in the future/],
    ['a clock within a minute', withRows({ newestEntry: NOW + 30_000 }), 'clock', 'ok', /no entry is from the future/],
    ['free pages', withRows({ pageBytes: 200 * MIB, freeBytes: 100 * MIB }), 'free-pages', 'advice', /100\.0 MiB/],
    ['much that has expired', withRows({ entries: 30_000, expired: 20_000 }), 'entries', 'advice', /20,000 expired/],
    [
      'caches below',
      withShards({ 3: { role: 'below', prefix: 'cache/jobs/' } }),
      'below',
      'ok',
      /1 cache below it.*cache\/jobs \(1,000 entries\)/,
    ],
    ['synchronous off', withSettings({ synchronous: 0 }), 'synchronous', 'advice', /power failure/],
    ['synchronous full', withSettings({ synchronous: 2 }), 'synchronous', 'advice', /waits for the disk/],
    ['a large mmap', withSettings({ mmapSize: GIB }), 'mmap-size', 'advice', /SIGBUS/],
    ['statistics', withSettings({ statistics: true }), 'statistics', 'advice', /every read is counted/],
    ['no culling', withSettings({ cullLimit: 0 }), 'cull-limit', 'advice', /neither expire nor evict/],
    ['tiny files', withSettings({ minFileSize: 10 }), 'min-file-size', 'advice', /from 10 bytes on/],
    [
      'shards that differ',
      withShards({ 3: { rows: { ...ROWS, settings: { ...ROWS.settings, sizeLimit: 5 } } } }),
      'settings-differ',
      'advice',
      /sizeLimit/,
    ],
  ]
  it.each(DATABASES)('judges databases: %s', (_, facts, id, severity, words) => {
    const finding = judge(facts).find(each => each.id === id)
    expect(finding).toMatchObject({ severity, what: expect.stringMatching(words) })
  })

  it('names the shards that a finding is about', () => {
    const finding = judge(withShards({ 1: { logBytes: GIB }, 3: { logBytes: GIB } })).find(({ id }) => id === 'log')
    expect(finding?.where).toEqual(['001', '003'])
  })

  const PILE = { count: 3, bytes: 3000, example: 'aa/bb/x' }
  const LEFT: readonly (readonly [what: string, facts: Facts, id: string, severity: string, words: RegExp])[] = [
    ['orphans', withTree({ orphans: PILE }), 'orphans', 'advice', /3 value files \(2\.9 KiB\).*aa\/bb\/x/],
    ['strangers', withTree({ foreign: PILE }), 'foreign', 'advice', /3 files/],
    [
      'a killed import',
      { ...HEALTHY, imports: [{ path: 'cache.db-import-0123', bytes: 3 * MIB }] },
      'imports',
      'advice',
      /1 import ended in the middle and left 3\.0 MiB, such as cache\.db-import-0123/,
    ],
    ['temporary files', withTree({ temporary: PILE }), 'temporary', 'advice', /3 values/],
    [
      'a quarantine',
      withTree({ quarantines: ['cache.db-quarantine-1'] }),
      'quarantine',
      'advice',
      /moved aside: cache\.db-quarantine-1/,
    ],
    [
      'half a quarantine',
      withTree({ moving: ['cache.db-quarantine-1.moving'] }),
      'quarantine',
      'trouble',
      /ended while/,
    ],
    ['full folders', withTree({ fullestFolder: 50_000 }), 'folders', 'advice', /50,000 value files in one folder/],
    ['closed folders', withTree({ closed: ['aa'] }), 'folders', 'trouble', /may not look into aa/],
    ['locks of Python', withRows({ endlessLocks: 2 }), 'locks', 'advice', /2 entries of Python/],
    ['overdue leases', withRows({ endedLeases: 4 }), 'leases', 'ok', /4 leases/],
  ]
  it.each(LEFT)('judges what is left: %s', (_, facts, id, severity, words) => {
    const finding = judge(facts).find(each => each.id === id)
    expect(finding).toMatchObject({ severity, what: expect.stringMatching(words) })
  })

  const node = TREE.nodes[1] as Tree['nodes'][number]
  const RIGHTS: readonly (readonly [what: string, facts: Facts, id: string, severity: string, words: RegExp])[] = [
    ['closed to all but its owner', HEALTHY, 'web-server', 'ok', /0700: only its owner/],
    [
      'open to all',
      {
        ...withTree({ nodes: [{ kind: 'own', uid: 1000, gid: 1000, mode: 0o644, count: 1, example: 'cache.db' }] }),
        ways: [{ path: '/srv/cache', uid: 1000, gid: 1000, mode: 0o755 }],
      },
      'web-server',
      'advice',
      /every user of this machine/,
    ],
    ['open to the group of the web server', openToGroup(33, [33]), 'web-server', 'ok', /www-data can read/],
    [
      'open to another group',
      openToGroup(33, [7]),
      'web-server',
      'trouble',
      /www-data may not read the directory \(2750\)/,
    ],
    [
      'with closed files',
      openToGroup(33, [33], { nodes: [node] }),
      'web-server',
      'trouble',
      /aa\/bb\/0\.val \(0600\) and 9 more/,
    ],
    [
      'below a closed directory',
      {
        ...openToGroup(33, [33]),
        ways: [{ path: '/home/app', uid: 1000, gid: 1000, mode: 0o700 }, ...HEALTHY.ways.slice(2)],
      },
      'web-server',
      'trouble',
      /may not pass \/home\/app \(0700\)/,
    ],
    [
      'of two owners',
      withTree({ nodes: [...TREE.nodes, { ...node, uid: 0, count: 2, example: 'cc/dd/1.val' }] }),
      'owners',
      'trouble',
      /2 to user 0 \(cc\/dd\/1\.val\)/,
    ],
  ]
  it.each(RIGHTS)('judges rights: %s', (_, facts, id, severity, words) => {
    const finding = judge(facts).find(each => each.id === id)
    expect(finding).toMatchObject({ severity, what: expect.stringMatching(words) })
  })

  it.each([
    ['22.12.0', '12.11.1', 'ok'],
    ['24.1.0', '13.2.4', 'ok'],
    ['20.20.0', '13.2.0', 'trouble'],
    ['20.18.0', '12.11.1', 'trouble'],
    ['22.12.0', '12.10.9', 'trouble'],
    ['22.12.0', '14.0.0', 'trouble'],
    ['23.1.0', '12.11.1', 'advice'],
    ['22.12.0', undefined, 'ok'],
  ])('judges Node %s with better-sqlite3 %s: %s', (version, driver, severity) => {
    const finding = judge(withVersions({ node: version, driver })).find(({ id }) => id === 'versions')
    expect(finding?.severity).toBe(severity)
  })
})

describe('what the system says', () => {
  const MOUNTS = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '30 22 0:40 / /srv/my\\040films rw master:2 shared:7 - nfs4 nas:/films rw,vers=4.2',
    '31 22 0:41 / /srv ro,nosuid - xfs /dev/sdb1 rw',
    '32 22 0:42 / /srv rw - tmpfs tmpfs ro,size=1g',
  ].join('\n')

  it.each([
    ['/home/app', { type: 'ext4', point: '/', source: '/dev/sda1', readonly: false }],
    ['/srv/my films/cache', { type: 'nfs4', point: '/srv/my films', source: 'nas:/films', readonly: false }],
    ['/srv/my filmsx', { type: 'tmpfs', point: '/srv', source: 'tmpfs', readonly: true }],
  ])('finds the mount of %s', (path, mount) => {
    expect(mountOf(MOUNTS, path)).toEqual(mount)
  })

  it('knows file systems by their numbers', () => {
    expect([0x6969, 0x01021994, 0xff534d42 | 0, 7].map(fileSystemOf)).toEqual(['nfs', 'tmpfs', 'cifs', undefined])
  })

  it('knows a user with all groups, by name or number', () => {
    const passwd = 'root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/sbin/nologin\n'
    const group = 'root:x:0:\ncache:x:50:app,www-data\nother:x:51:app\n'
    const user = { name: 'www-data', uid: 33, gids: [33, 50] }
    expect(findUser('www-data', passwd, group)).toEqual(user)
    expect(findUser('33', passwd, group)).toEqual(user)
    expect(findUser('nginx', passwd, group)).toBeUndefined()
    expect(may(user, { uid: 1, gid: 50, mode: 0o740 }, 4)).toBe(true)
    // The rights of the owner hold for the owner, also where others have more.
    expect(may(user, { uid: 33, gid: 50, mode: 0o077 }, 4)).toBe(false)
  })
})
