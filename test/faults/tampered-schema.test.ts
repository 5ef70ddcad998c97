import type Database from 'better-sqlite3'
import { Lock, SchemaError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, type Kind } from './support/caches.js'
import { tamper } from './support/tampering.js'

type Change = (db: Database.Database) => void

/** Holds a reader for minutes, if it is ever run. */
const FOREVER = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT sum(i) FROM n'

const COUNT_INSERT = 'CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache FOR EACH ROW BEGIN'

/** The side tables of getOrSet, as the cache makes them. */
const SIDE_TABLES: Readonly<Record<string, string>> = {
  Lease: 'name TEXT PRIMARY KEY, token TEXT NOT NULL, due REAL NOT NULL, fence INTEGER NOT NULL',
  Fence: 'id INTEGER PRIMARY KEY, number INTEGER NOT NULL',
  Freshness: 'rowid INTEGER PRIMARY KEY, store_time REAL NOT NULL, expire_time REAL, due REAL, seconds REAL NOT NULL',
}

const CHANGES: Readonly<Record<string, Change>> = {
  'a view named Cache': db => {
    db.exec('ALTER TABLE Cache RENAME TO Hidden')
    db.exec(`CREATE VIEW Cache AS SELECT *, (${FOREVER}) AS slow FROM Hidden`)
  },
  'a view named Settings': db => {
    db.exec('ALTER TABLE Settings RENAME TO Hidden')
    db.exec(`CREATE VIEW Settings AS SELECT key, (${FOREVER}) AS value FROM Hidden`)
  },
  'an extra trigger': db => {
    db.exec('CREATE TRIGGER Extra AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END')
  },
  'an extra trigger on Settings': db => {
    db.exec(`CREATE TRIGGER Extra BEFORE UPDATE ON Settings BEGIN ${FOREVER}; END`)
  },
  'a changed trigger': db => {
    db.exec('DROP TRIGGER Settings_count_insert')
    db.exec(`${COUNT_INSERT} UPDATE Settings SET value = value + 2 WHERE key = 'count'; END`)
  },
  'a trigger that does more': db => {
    db.exec('DROP TRIGGER Settings_count_insert')
    db.exec(`${COUNT_INSERT} UPDATE Settings SET value = value + 1 WHERE key = 'count'; DELETE FROM Cache; END`)
  },
  'a trigger of another event': db => {
    db.exec('DROP TRIGGER Settings_count_insert')
    const body = "BEGIN UPDATE Settings SET value = value + 1 WHERE key = 'count'; END"
    db.exec(`CREATE TRIGGER Settings_count_insert BEFORE INSERT ON Cache FOR EACH ROW ${body}`)
  },
  'a trigger with another condition': db => {
    db.exec('DROP TRIGGER Settings_size_insert')
    const body = "BEGIN UPDATE Settings SET value = value + NEW.size WHERE key = 'size'; END"
    db.exec(`CREATE TRIGGER Settings_size_insert AFTER INSERT ON Cache FOR EACH ROW WHEN NEW.size <> 1 ${body}`)
  },
  'an index on an expression': db => {
    db.exec('CREATE INDEX Extra ON Cache (abs(size))')
  },
  'an index of plain columns with a condition of its own': db => {
    db.exec("CREATE INDEX Extra ON Cache (size) WHERE tag IS NOT NULL AND hex(key) > 'a'")
  },
  'a known index on other columns': db => {
    db.exec('DROP INDEX Cache_key_raw; CREATE INDEX Cache_key_raw ON Cache (key)')
  },
  'an index elsewhere that has the name of a table': db => {
    db.exec('CREATE TABLE Other (a); CREATE INDEX Lease ON Other (a)')
  },
  'a known index on another expression': db => {
    db.exec('DROP INDEX Cache_expire_time')
    db.exec('CREATE INDEX Cache_expire_time ON Cache (hex(expire_time))')
  },
  'an index with another condition': db => {
    db.exec('DROP INDEX Cache_expire_time')
    db.exec("CREATE INDEX Cache_expire_time ON Cache (expire_time) WHERE hex(key) > 'a'")
  },
  'a column with a default that is computed': db => {
    rebuild(db, 'access_count INTEGER DEFAULT 0', 'access_count INTEGER DEFAULT (length(hex(randomblob(100))))')
  },
  'a generated column': db => {
    rebuild(db, 'value BLOB)', 'value BLOB, extra GENERATED ALWAYS AS (hex(zeroblob(1000))) VIRTUAL)')
  },
  'a column with a check': db => {
    rebuild(db, 'filename TEXT', 'filename TEXT CHECK (length(filename) < 3)')
  },
  'a missing column': db => {
    rebuild(db, '  mode INTEGER DEFAULT 0,\n', '')
  },
  'a trigger on its table of tags': db => {
    db.exec('CREATE TABLE IF NOT EXISTS EntryTag (rowid INTEGER NOT NULL, tag TEXT NOT NULL)')
    db.exec('CREATE TRIGGER Extra AFTER INSERT ON EntryTag BEGIN DELETE FROM Cache; END')
  },
  'a view named EntryTag': db => {
    db.exec(`CREATE VIEW EntryTag AS SELECT 1 AS rowid, (${FOREVER}) AS tag`)
  },
  ...sideTableChanges(),
}

function sideTableChanges(): Record<string, Change> {
  const changes: Record<string, Change> = {}
  for (const [table, columns] of Object.entries(SIDE_TABLES)) {
    const made = `CREATE TABLE ${table} (${columns})`
    changes[`another table named ${table}`] = db => {
      db.exec(`CREATE TABLE ${table} (name TEXT, token TEXT, due REAL, fence INTEGER, number INTEGER)`)
    }
    changes[`a table ${table} with a check`] = db => {
      db.exec(`CREATE TABLE ${table} (${columns}, CHECK (length(hex(zeroblob(1000))) > 0))`)
    }
    changes[`a view named ${table}`] = db => {
      db.exec(`CREATE VIEW ${table} AS SELECT 'a' AS name, 'b' AS token, (${FOREVER}) AS due, 1 AS number`)
    }
    changes[`a table named ${table.toUpperCase()}`] = db => {
      db.exec(`CREATE TABLE ${table.toUpperCase()} (anything)`)
    }
    changes[`a trigger on ${table}`] = db => {
      db.exec(`${made}; CREATE TRIGGER Extra AFTER INSERT ON ${table} BEGIN DELETE FROM Cache; END`)
    }
    changes[`an index on an expression of ${table}`] = db => {
      db.exec(`${made}; CREATE INDEX Extra ON ${table} (hex(due))`.replace('hex(due)', hexOf(table)))
    }
  }
  changes['another trigger named Freshness_delete'] = db => {
    db.exec(`CREATE TABLE Freshness (${SIDE_TABLES['Freshness']})`)
    db.exec('CREATE TRIGGER Freshness_delete AFTER DELETE ON Cache FOR EACH ROW BEGIN DELETE FROM Cache; END')
  }
  changes['a trigger named Freshness_delete on another table'] = db => {
    db.exec('CREATE TRIGGER Freshness_delete AFTER DELETE ON Settings BEGIN DELETE FROM Cache; END')
  }
  return changes
}

function hexOf(table: string): string {
  return table === 'Fence' ? 'hex(number)' : 'hex(due)'
}

/** Makes the table Cache anew with another text. */
function rebuild(db: Database.Database, what: string, by: string): void {
  const parts = db.prepare(
    "SELECT sql FROM sqlite_master WHERE tbl_name = 'Cache' AND sql IS NOT NULL ORDER BY type = 'table' DESC",
  )
  const statements = parts.pluck().all() as string[]
  const changed = statements.map((sql, index) => (index === 0 ? sql.replace(what, by) : sql))
  expect(changed).not.toEqual(statements)
  db.exec('DROP TABLE Cache')
  for (const sql of changed) {
    try {
      db.exec(sql)
    } catch (error) {
      // An index or trigger that names the missing column.
      if (!(error instanceof Error && error.message.includes('no such column'))) throw error
    }
  }
}

async function tampered(kind: Kind, change: Change): Promise<string> {
  const directory = temporaryDirectory()
  const cache = cacheOf(kind, directory)
  for (let key = 0; key < 8; key += 1) await cache.set(key, `value ${key}`, { retry: true })
  await cache.close()
  tamper(kind, directory, change)
  return directory
}

describe.each(KINDS)('a %s on a database with', kind => {
  // The shards of a FanoutCache open as a Cache does.
  it.each(Object.entries(CHANGES).filter((_, at) => kind === 'Cache' || at % 5 === 0))(
    '%s rejects with SchemaError and runs none of it',
    async (_name, change) => {
      const directory = await tampered(kind, change)
      for (const options of [{}, { readonly: true }, { onCorrupt: 'quarantine' }] as const) {
        const cache = cacheOf(kind, directory, options)
        cache.on('quarantine', ({ path }) => expect.unreachable(`moved to ${path}`))
        await expect(cache.get(0), `get with ${JSON.stringify(options)}`).rejects.toThrow(SchemaError)
        if (!('readonly' in options)) await expect(cache.set(0, 'new')).rejects.toThrow(SchemaError)
        await cache.close()
      }
    },
  )

  it('the tables of somebody else leaves them alone', async () => {
    const directory = await tampered(kind, db => {
      for (const table of ['Cache', 'Settings']) db.exec(`DROP TABLE ${table}`)
      db.exec("CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ann')")
    })
    const cache = cacheOf(kind, directory)
    const ended = await cache.set(0, 'new').catch((error: unknown) => error)
    if (!(ended instanceof SchemaError)) expect(ended).toBe(true)
    await cache.close()
    tamper(kind, directory, db => {
      expect(db.prepare('SELECT name FROM users').pluck().all()).toEqual(['ann'])
    })
  })

  it('the side tables of getOrSet opens, and uses them', async () => {
    const directory = temporaryDirectory()
    const first = cacheOf(kind, directory)
    const options = { ttl: '1h', staleFor: '1h', beta: 1 } as const
    for (let key = 0; key < 8; key += 1) await first.getOrSet(key, () => `value ${key}`, options)
    await first.close()
    const cache = cacheOf(kind, directory)
    expect(await cache.getOrSet(0, () => 'new', options)).toBe('value 0')
    expect(await cache.getOrSet(8, () => 'new', options)).toBe('new')
    expect(await cache.check()).toEqual([])
  })

  it.each(['Lease', 'Fence'])('a missing %s makes it anew', async table => {
    const directory = temporaryDirectory()
    const options = { ttl: '1h', staleFor: '1h', beta: 1 } as const
    const first = cacheOf(kind, directory)
    for (let key = 0; key < 8; key += 1) await first.getOrSet(key, () => `value ${key}`, options)
    await first.close()
    tamper(kind, directory, db => db.exec(`DROP TABLE ${table}`))
    const cache = cacheOf(kind, directory)
    for (let key = 0; key < 8; key += 1) {
      expect(await cache.getOrSet(key, () => expect.unreachable(), options)).toBe(`value ${key}`)
      expect(await cache.delete(key, { retry: true })).toBe(true)
      expect(await cache.getOrSet(key, () => 'new', options)).toBe('new')
    }
    expect(await cache.check()).toEqual([])
  })

  it('a number of the last fence beyond all that count opens, and fences grow', async () => {
    const directory = temporaryDirectory()
    const acquire = async (): Promise<number> => {
      const cache = cacheOf(kind, directory)
      const lease = await new Lock(cache, 'lock', { allowEviction: true }).acquire()
      await lease.release()
      await cache.close()
      return lease.fence
    }
    const first = await acquire()
    tamper(kind, directory, db => db.exec('UPDATE Fence SET number = 1 << 60'))
    const second = await acquire()
    expect(second).toBeGreaterThan(first)
    expect(await acquire()).toBeGreaterThan(second)
  })

  it('the indexes of an older DiskCache opens', async () => {
    const directory = await tampered(kind, db => {
      db.exec('DROP INDEX Cache_expire_time; CREATE INDEX Cache_expire_time ON Cache (expire_time)')
      db.exec(
        'CREATE INDEX Cache_tag_rowid ON Cache(tag, rowid); CREATE INDEX Cache_access_time ON Cache (access_time)',
      )
    })
    const cache = cacheOf(kind, directory)
    expect(await cache.get(0)).toBe('value 0')
    expect(await cache.set(0, 'new', { retry: true })).toBe(true)
    expect(await cache.check()).toEqual([])
  })

  it('an index of plain columns that a policy of Python has added opens, with names in quotes too', async () => {
    const directory = await tampered(kind, db => {
      db.exec('CREATE INDEX Own ON Cache (tag, size DESC) WHERE tag IS NOT NULL')
      db.exec('CREATE INDEX "Quoted" ON "Cache" (size)')
    })
    expect(await cacheOf(kind, directory).get(0)).toBe('value 0')
  })
})
