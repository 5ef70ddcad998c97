import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, kindsOf, optionsOf, shardsOf } from './support/caches.js'

const ENDLESS = new URL('./fixtures/endless-stream.mjs', import.meta.url)
const HOUR_SECONDS = 3600

/** A file where and as a cache would write one, which no row names. */
function orphan(shard: string, ageSeconds: number, digit: string): string {
  const path = join(shard, 'ab', 'cd', `${digit.repeat(28)}.val`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, 'x'.repeat(40_000))
  age(path, ageSeconds)
  return path
}

function age(path: string, seconds: number): void {
  const then = Date.now() / 1000 - seconds
  utimesSync(path, then, then)
}

describe.each(KINDS)('leftovers in the directory of a %s', kind => {
  it('vanish by themselves when they are older than an hour', async () => {
    const directory = temporaryDirectory()
    const first = cacheOf(kind, directory)
    for (let key = 0; key < 4; key += 1) await first.set(key, 'y'.repeat(40_000))
    await first.close()
    const live = valueFiles(directory)
    for (const path of live) age(path, 48 * HOUR_SECONDS)
    const shards = shardsOf(kind).map(shard => join(directory, shard))
    const old = shards.map(shard => orphan(shard, 2 * HOUR_SECONDS, '1'))
    const young = shards.map(shard => orphan(shard, HOUR_SECONDS / 2, '2'))

    const cache = cacheOf(kind, directory)
    await cache.open()
    await expect.poll(() => old.filter(path => existsSync(path))).toEqual([])
    expect(young.filter(path => !existsSync(path))).toEqual([])
    expect(live.filter(path => !existsSync(path))).toEqual([])
    for (let key = 0; key < 4; key += 1) expect(await cache.get(key)).toBe('y'.repeat(40_000))
  })

  it('vanish by themselves when they are unfinished files of a killed process', async () => {
    const directory = temporaryDirectory()
    const writer = new FixtureProcess(ENDLESS, { kind, directory, options: optionsOf(kind) })
    await writer.line('chunk')
    await writer.kill()
    const unfinished = valueFiles(directory)
    expect(unfinished).toHaveLength(1)
    for (const path of unfinished) age(path, 2 * HOUR_SECONDS)

    const cache = cacheOf(kind, directory)
    await cache.open()
    await expect.poll(() => valueFiles(directory)).toEqual([])
    expect(await cache.get('endless')).toBeUndefined()
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('vanish by themselves when they are stages of killed imports', async () => {
    const directory = temporaryDirectory()
    await cacheOf(kind, directory).close()
    const stages = ['0123456789abcdef', 'fedcba9876543210.new'].map(name => join(directory, `cache.db-import-${name}`))
    const [killed = '', begun = ''] = stages
    for (const stage of stages) mkdirSync(stage, { recursive: true })
    writeFileSync(join(killed, '1'), 'x')

    await cacheOf(kind, directory).open()
    await expect.poll(() => existsSync(killed)).toBe(false)
    expect(existsSync(begun)).toBe(true)
  })

  it('vanish when the stage of a killed import names them, and nothing else that it names', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const first = cacheOf(kind, directory)
    await first.set('live', 'y'.repeat(40_000))
    await first.close()
    const [live = ''] = valueFiles(directory)
    const shard = shardsOf(kind)[0] === '.' ? '' : relative(directory, live).slice(0, 3)
    const place = join(directory, shard)
    const placed = orphan(place, 0, '1')
    const victim = join(directory, '..', 'victim')
    writeFileSync(victim, 'not ours')
    const other = join(directory, '..', 'other')
    await cacheOf('Cache', other).open()
    const foreign = orphan(other, 0, '2')
    // The live value may lie in one of them.
    const free = ['00', '01'].find(name => !existsSync(join(place, name))) ?? ''
    symlinkSync(dirname(dirname(foreign)), join(place, free))
    const linked = `${free}/cd/${'2'.repeat(28)}.val`

    const stage = join(directory, 'cache.db-import-0123456789abcdef')
    mkdirSync(stage)
    symlinkSync(other, join(directory, 'cache.db-import-fedcba9876543210'))
    const db = new Database(join(stage, 'stage.db'))
    db.exec('CREATE TABLE Row (shard, filename)')
    for (const row of [
      [shard, relative(place, live)],
      [shard, relative(place, placed)],
      [shard, relative(place, victim)],
      [shard, linked],
      [relative(directory, other), relative(other, foreign)],
    ]) {
      db.prepare('INSERT INTO Row VALUES (?, ?)').run(...row)
    }
    db.close()

    await cacheOf(kind, directory).open()
    await expect.poll(() => existsSync(stage)).toBe(false)
    expect([placed, dirname(placed), live, victim, foreign].map(path => existsSync(path))).toEqual([
      false,
      false,
      true,
      true,
      true,
    ])
    expect(existsSync(join(other, 'cache.db'))).toBe(true)
  })

  it('stay when somebody is still writing them', async () => {
    const directory = temporaryDirectory()
    const writer = new FixtureProcess(ENDLESS, { kind, directory, options: optionsOf(kind) })
    await writer.line('chunk')
    const cache = cacheOf(kind, directory)
    await cache.set('other', 'z'.repeat(40_000))
    await cache.check({ fix: true })
    const from = writer.lines.length
    await writer.line('chunk', from)
    expect(readdirSync(directory).length).toBeGreaterThan(0)
    expect(valueFiles(directory)).toHaveLength(2)
    await writer.kill()
  })

  it('stay when they are young, although the Date of a test says that they are not', async () => {
    const directory = temporaryDirectory()
    await cacheOf(kind, directory).close()
    const shards = shardsOf(kind).map(shard => join(directory, shard))
    const old = shards.map(shard => orphan(shard, 2 * HOUR_SECONDS, '1'))
    const young = shards.map(shard => orphan(shard, 0, '2'))
    const unfinished = shards.map(shard => join(shard, `cache.db-tmp-${'3'.repeat(32)}`))
    for (const path of unfinished) writeFileSync(path, 'is being written')
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 24 * HOUR_SECONDS * 1000 })
    onTestFinished(() => void vi.useRealTimers())
    await cacheOf(kind, directory).open()
    await expect.poll(() => old.filter(path => existsSync(path))).toEqual([])
    expect([...young, ...unfinished].filter(path => !existsSync(path))).toEqual([])
  })

  it('stay when they are in grace, although they are old', async () => {
    const directory = temporaryDirectory()
    const first = cacheOf(kind, directory, { disk: { unlinkGrace: '1d' } })
    const keys = Array.from({ length: 16 }, (_, key) => key)
    for (const key of keys) await first.set(key, 'y'.repeat(40_000))
    for (const key of keys) await first.delete(key)
    await first.close()
    const shards = shardsOf(kind).map(shard => join(directory, shard))
    const old = shards.map(shard => orphan(shard, 2 * HOUR_SECONDS, '1'))
    const graced = shards.map(shard => {
      const path = orphan(shard, 2 * HOUR_SECONDS, '2')
      // As another process does that lets it go.
      const later = 'INSERT INTO UnlinkLater (filename, size, due) VALUES (?, 40000, ?)'
      rawDatabase(shard)
        .prepare(later)
        .run(relative(shard, path), Date.now() / 1000 + HOUR_SECONDS)
      return path
    })

    const cache = cacheOf(kind, directory)
    await cache.open()
    await expect.poll(() => old.filter(path => existsSync(path))).toEqual([])
    expect(graced.filter(path => !existsSync(path))).toEqual([])
  })

  it('stay when they are not such as a cache makes', async () => {
    const directory = temporaryDirectory()
    const first = cacheOf(kind, directory)
    for (const key of [0, 1]) await first.set(key, 'y'.repeat(40_000))
    await first.close()
    const shard = join(directory, shardsOf(kind)[0] ?? '.')
    const foreign = [
      'notes.txt',
      'ab/notes.val',
      'ab/cd/notes.txt',
      'ab/cd/short.val',
      'ab/cd/ef/deep.val',
      'xy/cd/other.val',
    ]
    for (const name of foreign) {
      mkdirSync(dirname(join(shard, name)), { recursive: true })
      writeFileSync(join(shard, name), 'not ours')
      age(join(shard, name), 48 * HOUR_SECONDS)
    }
    const old = orphan(shard, 2 * HOUR_SECONDS, '1')

    await cacheOf(kind, directory).open()
    await expect.poll(() => existsSync(old)).toBe(false)
    expect(foreign.filter(name => !existsSync(join(shard, name)))).toEqual([])
  })

  it('stay when a link leads to them', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    await cacheOf(kind, directory).open()
    const shard = join(directory, shardsOf(kind)[0] ?? '.')
    const outside = join(directory, '..', 'outside')
    const foreign = [`cd/${'1'.repeat(28)}.val`, `cd/ef/${'1'.repeat(28)}.val`, '1'.repeat(32), `${'1'.repeat(28)}.val`]
    for (const name of foreign) {
      mkdirSync(dirname(join(outside, name)), { recursive: true })
      writeFileSync(join(outside, name), 'not ours')
      age(join(outside, name), 48 * HOUR_SECONDS)
    }
    const old = orphan(shard, 2 * HOUR_SECONDS, '1')
    symlinkSync(outside, join(shard, '00'))
    symlinkSync(join(outside, 'cd'), join(shard, 'ab', '00'))
    symlinkSync(outside, join(shard, 'cache.db-tmp-00'))
    symlinkSync(join(outside, foreign[0] as string), join(shard, 'cache.db-tmp-11'))

    await expect.poll(() => existsSync(old)).toBe(false)
    expect(foreign.filter(name => !existsSync(join(outside, name)))).toEqual([])
    await cacheOf(kind, directory).check({ fix: true })
    expect(foreign.filter(name => !existsSync(join(outside, name)))).toEqual([])
  })
})
