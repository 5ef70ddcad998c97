import { describe, expect, it } from 'vitest'
import type { Advice } from '../../src/cli/doctor/advice.js'
import type { Facts } from '../../src/cli/doctor/facts.js'
import { judge } from '../../src/cli/doctor/judge.js'
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
  withDatabase,
  withRows,
  withSettings,
  withShards,
  withSpace,
  withTree,
  withVersions,
} from './support/facts.js'

function found(facts: Facts, id: string): Advice | undefined {
  return judge(facts).find(finding => finding.id === id)
}

const HOUR = 3_600_000
const PILE = { count: 1, bytes: 1000, example: 'aa/bb/x' }
const [DIRECTORY, VALUE, OWN] = TREE.nodes as [
  (typeof TREE.nodes)[number],
  (typeof TREE.nodes)[number],
  (typeof TREE.nodes)[number],
]
const WAYS = HEALTHY.ways.slice(0, 2)
const way = (mode: number, gid = 1000): Facts['ways'][number] => ({ path: '/srv/cache', uid: 1000, gid, mode })

describe('the doctor lets pass', () => {
  const cases: readonly (readonly [what: string, facts: Facts, id: string, words: RegExp])[] = [
    ['a limit that fits beside what is stored', withSpace({ bytes: 4 * GIB, freeBytes: 980 * MIB }), 'size-limit', /./],
    [
      'a cache a little above its limit',
      withSettings({ sizeLimit: 58 * MIB }),
      'size-limit',
      /60\.0 MiB of 58\.0 MiB$/,
    ],
    ['a cache without eviction below its limit', withSettings({ evictionPolicy: 'none' }), 'size-limit', /./],
    [
      'free pages, which are no part of the size',
      withRows({ pageBytes: 30 * MIB, freeBytes: 20 * MIB }),
      'size-limit',
      /size 60\.0 MiB/,
    ],
    [
      'a cache below it that is larger than the limit',
      withShards({ 3: { role: 'below', prefix: 'cache/jobs/', rows: { ...ROWS, fileBytes: 10 * GIB } } }),
      'size-limit',
      /size 180\.0 MiB of 3\.0 GiB/,
    ],
    ['much that has expired among more', withRows({ entries: 100_000, expired: 20_000 }), 'entries', /./],
    ['most of little', withRows({ entries: 30, expired: 20 }), 'entries', /^30 entries, 20 expired/],
    ['an empty cache', withRows({ entries: 0, expired: 0 }), 'entries', /^0 entries, 0 expired/],
    [
      'a cache below it that does not exist yet',
      withShards({ 3: { role: 'below', prefix: 'cache/jobs/', exists: false, rows: undefined } }),
      'shards',
      /^3 shards$/,
    ],
    [
      'missing shards where it counts readable ones',
      withShards({ 1: { exists: false, rows: undefined } }),
      'database',
      /^3 databases/,
    ],
    ['better-sqlite3 13 with Node 22', withVersions({ node: '22.12.0', driver: '13.2.0' }), 'versions', /./],
    [
      'databases that are open to all in a directory that is not',
      {
        ...withTree({ nodes: [{ ...OWN, mode: 0o644 }] }),
        ways: [{ path: '/srv', uid: 0, gid: 0, mode: 0o750 }, way(0o755)],
      },
      'web-server',
      /open to group/,
    ],
    [
      'value files that are open to all, beside databases that are not',
      { ...withTree({ nodes: [{ ...VALUE, mode: 0o644 }, OWN] }), ways: [...WAYS, way(0o755)] },
      'web-server',
      /open to group/,
    ],
    [
      'a directory that only a group may pass',
      { ...HEALTHY, ways: [...WAYS, way(0o710)] },
      'web-server',
      /open to group 1000 \(0710\)/,
    ],
    [
      'folders that a web server may pass, and not list',
      openToGroup(33, [33], { nodes: [{ ...DIRECTORY, gid: 33, mode: 0o2710 }] }),
      'web-server',
      /can read the value files/,
    ],
  ]
  it.each(cases)('%s', (_, facts, id, words) => {
    expect(found(facts, id)).toMatchObject({ severity: 'ok', what: expect.stringMatching(words) })
  })

  it.each([
    ['few free pages of many', withRows({ pageBytes: 1000 * MIB, freeBytes: 100 * MIB }), 'free-pages'],
    ['free pages of a small database', withRows({ pageBytes: 40 * MIB, freeBytes: 20 * MIB }), 'free-pages'],
    ['a Cache, which has no shards', HEALTHY, 'shards'],
    ['no culling where nothing is to be evicted', withSettings({ cullLimit: 0, evictionPolicy: 'none' }), 'cull-limit'],
    ['files from 1 KiB on', withSettings({ minFileSize: 1024 }), 'min-file-size'],
    [
      'a cache below it that has settings of its own',
      withShards({ 3: { role: 'below', rows: { ...ROWS, settings: { ...ROWS.settings, sizeLimit: 5 } } } }),
      'settings-differ',
    ],
    ['a thousand files in one folder', withTree({ fullestFolder: 1000 }), 'folders'],
    ['owners where users have no numbers', { ...HEALTHY, uid: undefined }, 'owners'],
    ['rights where users have no numbers', { ...HEALTHY, uid: undefined }, 'web-server'],
  ])('%s, and says nothing of it', (_, facts, id) => {
    expect(found(facts, id)).toBeUndefined()
  })
})

describe('the doctor tells', () => {
  const cases: readonly (readonly [what: string, facts: Facts, id: string, severity: string, words: RegExp])[] = [
    [
      'a small disk with hardly room for a log',
      withSpace({ bytes: 100 * MIB, freeBytes: 15 * MIB }),
      'free-space',
      'trouble',
      /15\.0 MiB of 100\.0 MiB/,
    ],
    [
      'a small table of files with hardly any left',
      withSpace({ files: 5000, freeFiles: 900 }),
      'free-inodes',
      'trouble',
      /900 of 5,000/,
    ],
    ['a table of files that fills', withSpace({ freeFiles: 50_000 }), 'free-inodes', 'advice', /50,000 of 1,000,000/],
    [
      'the entry that is farthest in the future',
      withShards({
        1: { rows: { ...ROWS, newestEntry: NOW + HOUR } },
        2: { rows: { ...ROWS, newestEntry: NOW + 2 * HOUR } },
      }),
      'clock',
      'trouble',
      /stored 2h in the future/,
    ],
    [
      'the longest log',
      withShards({ 1: { logBytes: 900 * MIB }, 2: { logBytes: 100 * MIB } }),
      'log',
      'advice',
      /900\.0 MiB/,
    ],
    ['one lock of Python', withRows({ endlessLocks: 1 }), 'locks', 'advice', /^1 entry of Python/],
    ['leases beside locks', withRows({ endlessLocks: 1, endedLeases: 1 }), 'leases', 'ok', /^1 lease ended/],
    [
      'the shard in which a file was left',
      withShards({ 2: { tree: { ...TREE, orphans: PILE } } }),
      'orphans',
      'advice',
      /such as 002\/aa\/bb\/x$/,
    ],
    [
      'the shard that was moved aside',
      withShards({ 2: { tree: { ...TREE, quarantines: ['q'] } } }),
      'quarantine',
      'advice',
      /: 002\/q$/,
    ],
    [
      'what all killed imports have left',
      {
        ...HEALTHY,
        imports: [
          { path: 'a', bytes: MIB },
          { path: 'b', bytes: MIB },
        ],
      },
      'imports',
      'advice',
      /^2 imports ended in the middle and left 2\.0 MiB, such as a$/,
    ],
    [
      'a limit of another shard that differs',
      withShards({ 3: { rows: { ...ROWS, settings: { ...ROWS.settings, cullLimit: 5 } } } }),
      'settings-differ',
      'advice',
      /differ in cullLimit:/,
    ],
    [
      'the first file of another owner',
      withTree({
        nodes: [
          ...TREE.nodes,
          { ...VALUE, uid: 7, count: 1, example: 'a' },
          { ...VALUE, uid: 7, count: 1, example: 'b' },
        ],
      }),
      'owners',
      'trouble',
      /2 to user 7 \(a\)$/,
    ],
  ]
  it.each(cases)('%s', (_, facts, id, severity, words) => {
    expect(found(facts, id)).toMatchObject({ severity, what: expect.stringMatching(words) })
  })

  it('the size of the caches below, and the names of the first five', () => {
    const below = (at: number): (typeof HEALTHY.databases)[number] => ({ ...DATABASE, role: 'below', prefix: `${at}/` })
    const told = (count: number): string | undefined =>
      found({ ...HEALTHY, databases: [DATABASE, ...Array.from({ length: count }, (_, at) => below(at))] }, 'below')
        ?.what
    expect(told(5)).toMatch(/^5 caches .*, 300\.0 MiB: 0 .*, 4 \(1,000 entries\)$/)
    expect(told(6)).toMatch(/^6 caches .*, 360\.0 MiB: 0 .*, 4 \(1,000 entries\), …$/)
  })

  it('strangers beside missing shards, and closed folders beside full ones', () => {
    const facts = { ...withShards({ 1: { exists: false, rows: undefined } }), strangers: ['core'] }
    expect(found(facts, 'strangers')).toBeDefined()
    const folders = judge(withTree({ fullestFolder: 5000, closed: ['aa'] })).filter(({ id }) => id === 'folders')
    expect(folders.map(({ severity }) => severity)).toEqual(['trouble', 'advice'])
  })

  it.each([
    ['journal-mode', { journalMode: 'delete' }],
    ['statistics', { settings: { ...ROWS.settings, statistics: true } }],
  ])('the shards that %s is about', (id, change) => {
    const rows = { ...ROWS, ...change }
    expect(found(withShards({ 1: { rows }, 3: { rows } }), id)?.where).toEqual(['001', '003'])
  })
})

describe('the doctor advises', () => {
  it('to make room where nothing is known of the cache', () => {
    const { space } = withSpace({ freeBytes: GIB })
    const unknown = withDatabase({ rows: undefined, trouble: { kind: 'closed', message: 'unable' } })
    expect(found({ ...unknown, space }, 'free-space')?.todo).toBe('make room')
  })

  it('a limit that leaves a fifth of the free space', () => {
    const todo = found(withSettings({ sizeLimit: 200 * GIB }), 'size-limit')?.todo
    expect(todo).toBe(`lower the limit: fanout-cache settings /srv/cache sizeLimit ${60 + 40 * 1024}MiB`)
  })

  it('to give all to the owner and group of the directory, and to work as that user', () => {
    const nodes = [...TREE.nodes, { ...VALUE, uid: 0, count: 1 }]
    const owned = found({ ...withTree({ nodes }), ways: [...WAYS, way(0o750, 33)] }, 'owners')
    expect(owned?.todo).toBe('chown -R 1000:33 /srv/cache, and run what looks after it as that user (sudo -u)')
    const root = found(
      withTree({
        nodes: [
          { ...VALUE, uid: 0 },
          { ...VALUE, count: 1 },
        ],
      }),
      'owners',
    )
    expect(root?.todo).toBe('chown -R 0 /srv/cache')
  })

  it('to let the group pass a directory that has the group of the cache, and others where it has another', () => {
    const closed = (gid: number): string | undefined => {
      const facts = openToGroup(44, [44])
      const home = { path: '/home/app', uid: 1000, gid, mode: 0o700 }
      return found({ ...facts, ways: [home, ...facts.ways.slice(2)] }, 'web-server')?.todo
    }
    expect(closed(33)).toBe('chmod g+x /home/app')
    expect(closed(1000)).toBe('chmod o+x /home/app')
  })

  it('to work as the owner of the directory, where that is not root', () => {
    const facts = openToGroup(33, [7])
    const [own] = facts.ways.slice(-1) as [Facts['ways'][number]]
    const todo = (uid: number): string | undefined =>
      found({ ...facts, ways: [...WAYS, { ...own, uid }] }, 'web-server')?.todo
    expect(todo(1000)).toContain('(as its owner')
    expect(todo(0)).not.toContain('(as its owner')
  })

  it('commands that name a directory with a space in quotes', () => {
    const facts = { ...withSettings({ statistics: true }), directory: '/srv/my cache' }
    expect(found(facts, 'statistics')?.todo).toContain("settings '/srv/my cache' statistics")
  })
})

describe('rights', () => {
  const user = { name: 'www-data', uid: 33, gids: [33] }

  it('of a group hold for its members, also where others have more', () => {
    expect(may(user, { uid: 1, gid: 33, mode: 0o704 }, 4)).toBe(false)
    expect(may(user, { uid: 1, gid: 1, mode: 0o704 }, 4)).toBe(true)
  })

  it('bind no root', () => {
    expect(may({ name: 'root', uid: 0, gids: [0] }, { uid: 1, gid: 1, mode: 0 }, 4)).toBe(true)
  })

  it('are those of the groups that name the whole user', () => {
    const passwd = 'www-data:x:33:33::/var/www:/sbin/nologin\n'
    expect(findUser('www-data', passwd, 'a:x:50:www-data2,other\nb:x:51:other,www-data\n')?.gids).toEqual([33, 51])
  })
})
