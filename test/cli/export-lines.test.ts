import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, statSync, truncateSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Cache } from 'fanout-cache'
import { expect, it } from 'vitest'
import { run } from '../../dist/cli.mjs'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cli, cliHere, done, type Ended, json } from './support/command-line.js'
import { fileEntry, streamOf } from './transfer-support.js'

async function filled(directory: string, entries: readonly (readonly [string, unknown])[]): Promise<void> {
  await using cache = new Cache(directory)
  await cache.setMany(entries)
}

/** Exports to a reader who begins to read only when something else is done. */
async function exportedAround(directory: string, meanwhile: () => Promise<void> | void): Promise<Ended> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const io = { stdin: Readable.from([]), stdout, stderr, env: {} }
  const ended = run(['export', directory], io, new AbortController().signal)
  await once(stdout, 'readable')
  await meanwhile()
  const said = text(stdout)
  const code = await ended
  stdout.end()
  return { code, stdout: await said, stderr: await text(stderr.end()) }
}

function keysIn(stream: string): unknown[] {
  const lines = stream.trim().split('\n')
  return lines.slice(1, -1).map(line => (JSON.parse(line) as { readonly key: unknown }).key)
}

it('an export leaves out what is added while it is read', async () => {
  const directory = temporaryDirectory()
  const keys = Array.from({ length: 500 }, (_, at) => `k:${at}`)
  await filled(
    directory,
    keys.map(key => [key, 'x'.repeat(1000)] as const),
  )
  const { code, stdout } = await exportedAround(directory, async () => {
    expect(await cli(['set', directory, 'later', '1'])).toEqual(done(''))
  })
  expect(code).toBe(0)
  expect(keysIn(stdout)).toEqual(keys)
})

it('an export ends with an error when a file is cut off while it is read', async () => {
  const directory = temporaryDirectory()
  await filled(directory, [['film', Buffer.alloc(2 ** 20)]])
  const [film = ''] = valueFiles(directory)
  const { code, stdout, stderr } = await exportedAround(directory, () => truncateSync(film, 100_000))
  expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining('was cut off while it was exported') })
  expect(stdout).not.toContain('"end"')
})

it('an export tells of an entry whose file is gone or too short, and exits with 1', async () => {
  const directory = temporaryDirectory()
  await filled(directory, [
    ['gone', Buffer.alloc(40_000)],
    ['short', Buffer.alloc(50_000)],
    ['whole', Buffer.alloc(60_000)],
  ])
  for (const path of valueFiles(directory)) {
    const { size } = statSync(path)
    if (size === 40_000) rmSync(path)
    if (size === 50_000) truncateSync(path, 10)
  }
  const { code, stdout, stderr } = await cliHere(['export', directory])
  expect(code).toBe(1)
  expect(stdout).toMatch(/"key":"whole".*\{"end":\{"entries":1,"files":1,"bytes":60000\}\}\n$/s)
  expect(stderr.match(/left out, since its file is gone or was cut short: "\w+"/g)).toHaveLength(2)
})

it('an export is a file that only its owner can read', async () => {
  const directory = temporaryDirectory()
  await filled(directory, [['a', 1]])
  const file = join(temporaryDirectory(), 'a.jsonl')
  expect(await cliHere(['export', directory, file])).toEqual(done(''))
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

it('an export is not written to a terminal', async () => {
  const directory = temporaryDirectory()
  await filled(directory, [['a', 1]])
  const [stdout, stderr] = [Object.assign(new PassThrough(), { isTTY: true }), new PassThrough()]
  const io = { stdin: Readable.from([]), stdout, stderr, env: {} }
  expect(await run(['export', directory], io, new AbortController().signal)).toBe(2)
  expect(await text(stdout.end())).toBe('')
  expect(await text(stderr.end())).toContain('nothing for a terminal')
})

it('an export carries rows of others that have no time to speak of and no metadata', async () => {
  const directory = temporaryDirectory()
  await filled(directory, [
    ['film', Buffer.alloc(40_000)],
    ['a', 1],
  ])
  const db = rawDatabase(directory)
  db.exec("UPDATE Cache SET value = 'no JSON' WHERE filename IS NOT NULL")
  db.exec('UPDATE Cache SET store_time = 9e999, access_time = 9e999')
  db.close()
  const { stdout: input } = await cliHere(['export', directory])
  const copy = join(temporaryDirectory(), 'copy')
  expect(json(await cliHere(['import', copy, '--create', '--json'], { input }))).toMatchObject({ stored: 2 })
})

it('an import refuses a value beyond the limit, whatever comes behind it', async () => {
  const directory = join(temporaryDirectory(), 'a')
  await new Cache(directory, { sizeLimit: 2 ** 20 }).open().then(cache => cache.close())
  const input = streamOf([...fileEntry('large', Buffer.alloc(1_100_000)), ...fileEntry('small', Buffer.alloc(10))])
  const refused = await cliHere(['import', directory, '--yes', '--evict'], { input })
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('larger than') })
})

it('an import takes away what one that was killed has made, and leaves what one may be about to use', async () => {
  const root = temporaryDirectory()
  const made = (name: string, hours: number): string => {
    const path = join(root, name)
    mkdirSync(path)
    const seconds = Date.now() / 1000 - hours * 3600
    utimesSync(path, seconds, seconds)
    return path
  }
  const old = made('a.import-0123456789abcdef', 2)
  const young = made('a.import-123456789abcdef0', 0)
  const another = made('b.import-0123456789abcdef', 2)
  const named = made('a.import-notes', 2)
  const input = streamOf([{ key: 'a', value: 1 }])
  expect(await cliHere(['import', join(root, 'a'), '--create'], { input })).toMatchObject({ code: 0 })
  expect([old, young, another, named].map(path => existsSync(path))).toEqual([false, true, true, true])
})
