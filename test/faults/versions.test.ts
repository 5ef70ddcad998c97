import { Cache, defineModel, FanoutCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { FixtureProcess } from '../helpers/child-process.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const SCRIPT = new URL('fixtures/version-user.mjs', import.meta.url)

describe.each(['Cache', 'FanoutCache'])('versions in several processes on a %s', kind => {
  async function run(roles: readonly string[], args: { readonly rounds: number; readonly keys: number }) {
    const directory = temporaryDirectory()
    const cache = kind === 'Cache' ? new Cache(directory) : new FanoutCache(directory, { timeout: '1m' })
    await cache.open()
    onTestFinished(() => cache.close())
    const processes = roles.map(role => new FixtureProcess(SCRIPT, { kind, directory, role, ...args }))
    const lines = (await Promise.all(processes.map(process => process.done()))).flat()
    return { cache, wrong: lines.filter(line => line.startsWith('wrong')) }
  }

  it('migrates without losing what is stored meanwhile', async () => {
    const rounds = 60
    const { cache, wrong } = await run(['writer', 'migrator', 'migrator'], { rounds, keys: 4 })
    expect(wrong).toEqual([])
    const model = cache.model(
      defineModel({ name: 'Number', version: 2, schema: z.object({ n: z.number(), twice: z.number() }) }),
    )
    for (let key = 0; key < 4; key++) expect(await model.get(key)).toEqual({ n: rounds, twice: 2 * rounds })
  })

  it('raises the version of a namespace while the old one is used', async () => {
    const { cache, wrong } = await run(['raiser', 'straggler', 'straggler'], { rounds: 12, keys: 20 })
    expect(wrong).toEqual([])
    expect(await cache.namespace('raised', { version: 12 }).count()).toBe(20)
    await cache.namespace('raised', { version: 12 }).clearOlderVersions()
    expect(await cache.count()).toBe(20)
  })
})

it('gives a value that waited for the lock another version than one of its instant that others removed', async () => {
  const clock = new ManualClock()
  const cache = new Cache(temporaryDirectory(), { clock })
  onTestFinished(() => cache.close())
  await cache.set('a', 'first')
  const first = await cache.info('a')
  const other = rawDatabase(cache.directory)
  other.exec('BEGIN IMMEDIATE')
  const late = cache.set('a', 'late')
  clock.advance(20)
  other.exec('DELETE FROM Cache; COMMIT')
  await late
  expect(await cache.get('a')).toBe('late')
  expect((await cache.info('a'))?.version).not.toBe(first?.version)
})

it('stores a value with the instant of its call when nobody else has written', async () => {
  const clock = new ManualClock()
  const cache = new Cache(temporaryDirectory(), { clock })
  onTestFinished(() => cache.close())
  await cache.set('a', 1)
  clock.advance(20)
  const calledAt = clock.now()
  const late = cache.set('b', 1, { ttl: 1000 })
  clock.advance(20)
  await late
  expect(await cache.info('b')).toMatchObject({ storedAt: calledAt, expiresAt: calledAt + 1000 })
})
