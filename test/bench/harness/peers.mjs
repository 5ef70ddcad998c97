import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * A store that others offer, behind the four operations which all of them have. `get` may answer at once or a promise.
 *
 * @typedef {object} Peer
 * @property {string} name
 * @property {boolean} [synchronousGet] it answers at once, and is called without `await`
 * @property {number} [weight] share of the operations of a round, for slow ones
 * @property {(key: string) => unknown} get
 * @property {(key: string, value: string) => Promise<unknown>} set
 * @property {(key: string) => Promise<unknown>} delete
 * @property {() => Promise<unknown>} close
 * @property {string} [url] of its server
 */

const OPENERS = { lmdb: openLmdb, '@keyv/sqlite': openKeyv, cacache: openCacache, redis: openRedis }

export const PEER_NAMES = Object.keys(OPENERS)

/**
 * @returns {Promise<Peer | string>} the peer, or why it is left out
 */
export async function openPeer(name, directory) {
  if (!versionOf(name)) return `${name} is not installed: npm ci --prefix test/bench`
  if (name === 'redis' && spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status !== 0) {
    return 'redis: there is no redis-server'
  }
  return OPENERS[name](directory)
}

/** Versions of the peers that are there. */
export function installedPeers() {
  return Object.fromEntries(PEER_NAMES.map(name => [name, versionOf(name)]).filter(([, version]) => version))
}

function versionOf(name) {
  try {
    return JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
  } catch {
    return undefined
  }
}

/**
 * As it comes: a put resolves when it is committed and visible, the flush to the disk follows. A crash of the process
 * loses nothing, as with WAL and synchronous=NORMAL.
 */
async function openLmdb(directory) {
  const { open } = await import('lmdb')
  const db = open({ path: directory })
  return {
    name: 'lmdb',
    synchronousGet: true,
    get: key => db.get(key),
    set: (key, value) => db.put(key, value),
    delete: key => db.remove(key),
    close: () => db.close(),
  }
}

/**
 * With better-sqlite3, which it builds with synchronous=NORMAL for WAL, as the package here has it.
 *
 * @param wal false: as it comes, with a rollback journal that is flushed at every commit
 */
export async function openKeyv(directory, wal = true) {
  const [{ default: Keyv }, { default: KeyvSqlite }] = await Promise.all([import('keyv'), import('@keyv/sqlite')])
  const store = new KeyvSqlite({ uri: `sqlite://${join(directory, 'keyv.db')}`, driver: 'better-sqlite3', wal })
  const keyv = new Keyv({ store })
  return {
    name: '@keyv/sqlite',
    weight: 0.5,
    get: key => keyv.get(key),
    set: (key, value) => keyv.set(key, value),
    delete: key => keyv.delete(key),
    close: () => keyv.disconnect(),
  }
}

/** Without its memory, which would answer instead of the disk. It keeps contents by digest and an index of files. */
async function openCacache(directory) {
  const { default: cacache } = await import('cacache')
  return {
    name: 'cacache',
    weight: 0.02,
    get: async key => (await cacache.get(directory, key, { memoize: false })).data.toString(),
    set: (key, value) => cacache.put(directory, key, value),
    delete: key => cacache.rm.entry(directory, key),
    close: async () => {},
  }
}

/** A server of its own on the loopback, its log flushed every second: a crash of the process loses nothing here too. */
async function openRedis(directory) {
  const { createClient } = await import('redis')
  const port = await freePort()
  const lasting = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '']
  const server = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--dir', directory, ...lasting], {
    stdio: 'ignore',
  })
  const ended = once(server, 'exit')
  process.once('exit', () => server.kill('SIGKILL'))
  const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: () => 50 } })
  client.on('error', () => {})
  await Promise.race([client.connect(), delay(5_000, undefined, { ref: false })])
  if (!client.isReady) throw new Error('redis-server does not answer')
  return {
    name: 'redis',
    url: `redis://127.0.0.1:${port}`,
    weight: 0.25,
    get: async key => (await client.get(key)) ?? undefined,
    set: (key, value) => client.set(key, value),
    delete: key => client.del(key),
    close: async () => {
      await client.close()
      server.kill('SIGTERM')
      await ended
    },
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return String(port)
}
