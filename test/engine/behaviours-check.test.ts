import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Finding } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { cacheSubject } from '../contract/subjects.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { valueFiles } from '../helpers/value-files.js'

// What upstream's tests/test_core.py shows about check() and missing files; the name of the test stands above.

const LARGE = 'x'.repeat(40_000)
const structured = cacheSubject('structured')

function kinds(findings: readonly Finding[]): string[] {
  return findings.map(({ kind }) => kind).sort()
}

async function filled(): Promise<{ cache: ReturnType<typeof structured.make>; files: string[] }> {
  const cache = structured.make()
  for (let key = 0; key < 5; key += 1) await cache.set(key, LARGE)
  return { cache, files: valueFiles(cache.directory) }
}

describe('check()', () => {
  // test_check
  it('finds missing, wrong and unknown files and repairs them', async () => {
    const { cache, files } = await filled()
    const [renamed = '', deleted = '', longer = '', shorter = ''] = files
    const stranger = join(dirname(renamed), `${'0'.repeat(28)}.val`)
    renameSync(renamed, stranger)
    rmSync(deleted)
    appendFileSync(longer, 'more')
    writeFileSync(shorter, 'less')
    const found = await cache.check()
    expect(kinds(found)).toEqual([
      'empty-directory',
      'missing-file',
      'missing-file',
      'unknown-file',
      'wrong-size',
      'wrong-size',
    ])
    expect(found.every(({ fixed }) => !fixed)).toBe(true)
    expect(existsSync(stranger)).toBe(true)
    expect((await cache.check({ fix: true })).every(({ fixed }) => fixed)).toBe(true)
    expect(await cache.check()).toEqual([])
    expect(existsSync(stranger)).toBe(false)
  })

  it('is ended by its signal, also while it waits for a lock', async () => {
    const { cache } = await filled()
    const lock = rawDatabase(cache.directory)
    lock.exec('BEGIN IMMEDIATE')
    const reason = new Error('enough')
    await expect(cache.check({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const checking = cache.check({ fix: true, timeout: '1h', signal: controller.signal })
    controller.abort(reason)
    await expect(checking).rejects.toBe(reason)
    lock.exec('ROLLBACK')
    expect(await cache.check()).toEqual([])
  })

  // test_check
  it('finds wrong figures and repairs them', async () => {
    const { cache } = await filled()
    const db = rawDatabase(cache.directory)
    db.exec("UPDATE Settings SET value = 99 WHERE key = 'count'; UPDATE Settings SET value = 7 WHERE key = 'size'")
    expect(kinds(await cache.check())).toEqual(['count', 'size'])
    expect(kinds(await cache.check({ fix: true }))).toEqual(['count', 'size'])
    expect(await cache.check()).toEqual([])
    expect(await cache.count()).toBe(5)
    await cache.clear()
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
  })

  // test_check
  it('finds empty directories, removes them and those which that leaves empty', async () => {
    const { cache } = await filled()
    // One that no value has taken: their names are random.
    const free = ['ab', 'cd', 'ef', '01', '23', '45'].find(name => !existsSync(join(cache.directory, name))) ?? ''
    mkdirSync(join(cache.directory, free, 'cd'), { recursive: true })
    expect(kinds(await cache.check())).toContain('empty-directory')
    await cache.check({ fix: true })
    expect(await cache.check()).toEqual([])
    expect(existsSync(join(cache.directory, free))).toBe(false)
  })

  it('with fix leaves empty directories that are none of its own', async () => {
    const { cache } = await filled()
    for (const name of ['logs', 'ab0', 'no/pe']) mkdirSync(join(cache.directory, name), { recursive: true })
    const found = await cache.check({ fix: true })
    expect(found.map(({ kind, path, fixed }) => [kind, path, fixed]).sort()).toEqual(
      ['ab0', 'logs', 'no/pe'].map(path => ['empty-directory', path, false]),
    )
    expect(existsSync(join(cache.directory, 'no', 'pe'))).toBe(true)
  })

  it('says in words and by path what it found', async () => {
    const { cache, files } = await filled()
    rmSync(files[0] ?? '')
    const [finding] = await cache.check()
    expect(finding).toEqual({
      kind: 'missing-file',
      message: expect.any(String),
      path: expect.any(String),
      fixed: false,
    })
    expect(join(cache.directory, finding?.path ?? '')).toBe(files[0])
  })

  it('with fix deletes nothing that does not look like a value file', async () => {
    const { cache } = await filled()
    const foreign = [
      'notes.txt',
      'ab/photo.jpg',
      'ab/cd/short.val',
      `xx/yy/${'z'.repeat(28)}.val`,
      'deep/er/than/this.val',
    ]
    for (const path of foreign) {
      mkdirSync(dirname(join(cache.directory, path)), { recursive: true })
      writeFileSync(join(cache.directory, path), 'mine')
    }
    const findings = await cache.check({ fix: true })
    expect(findings.map(({ path }) => path).sort()).toEqual([...foreign].sort())
    for (const { kind, fixed } of findings)
      expect([kind, fixed]).toEqual([expect.stringMatching(/^(unknown|foreign)-file$/), false])
    for (const path of foreign) expect(existsSync(join(cache.directory, path))).toBe(true)
  })

  // test_integrity_check
  it('finds a damaged header, and fix repairs it', async () => {
    const cache = structured.make()
    for (let key = 0; key < 100; key += 1) await cache.set(key, `value ${key}`)
    await cache.close()
    // The page number of the largest root, which SQLite believes but its integrity check does not.
    const file = openSync(join(cache.directory, 'cache.db'), 'r+')
    writeSync(file, Buffer.from([0, 1]), 0, 2, 52)
    closeSync(file)
    expect(kinds(await cache.check())).toContain('integrity')
    await cache.check({ fix: true })
    expect(await cache.check()).toEqual([])
    expect(await cache.get(99)).toBe('value 99')
  })
})

describe('value files that are gone', () => {
  // test_pull_ioerror
  it('pull() passes over an item whose file is gone', async () => {
    const cache = structured.make()
    await cache.push(LARGE)
    for (const path of valueFiles(cache.directory)) rmSync(path)
    await cache.push('second')
    expect((await cache.pull())?.value).toBe('second')
    expect(await cache.pull()).toBeUndefined()
    expect(await cache.check()).toEqual([])
  })

  // test_peek_ioerror, test_peekitem_ioerror
  it('peek() and peekItem() pass over items whose files are gone, at either end', async () => {
    const cache = structured.make()
    await cache.push(LARGE)
    await cache.push('middle')
    await cache.push(LARGE)
    for (const path of valueFiles(cache.directory)) rmSync(path)
    expect((await cache.peek())?.value).toBe('middle')
    expect((await cache.peek({ side: 'back' }))?.value).toBe('middle')
    expect((await cache.peekItem({ last: true }))?.value).toBe('middle')
    expect((await cache.peekItem({ last: false }))?.value).toBe('middle')
  })

  it('entries() passes over items whose files are gone', async () => {
    const cache = structured.make()
    await cache.set('gone', LARGE)
    for (const path of valueFiles(cache.directory)) rmSync(path)
    await cache.set('here', LARGE)
    const entries: [unknown, unknown][] = []
    for await (const entry of cache.entries()) entries.push(entry)
    expect(entries).toEqual([['here', LARGE]])
  })
})
