import { readFileSync } from 'node:fs'
import type { DiskCache, Transaction } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, kindsOf, optionsOf } from './support/caches.js'

const SCRIPT = new URL('./fixtures/transact-crash.mjs', import.meta.url)
const STATE: Readonly<Record<string, unknown>> = {
  inline: 'old',
  file: 'F'.repeat(40_000),
  deleted: 'D'.repeat(40_000),
  popped: 'P'.repeat(40_000),
  nested: 'E'.repeat(40_000),
  count: 7,
}
const LARGE = 'L'.repeat(60_000)

async function fill(cache: DiskCache): Promise<void> {
  for (const [key, value] of Object.entries(STATE)) await cache.set(key, value, { retry: true })
}

async function stateOf(cache: DiskCache): Promise<Record<string, unknown>> {
  const state: Record<string, unknown> = {}
  for await (const [key, value] of cache.entries()) state[String(key)] = value
  return state
}

/** All value files with what is in them. */
function filesOf(directory: string): Record<string, string> {
  return Object.fromEntries(valueFiles(directory).map(path => [path, readFileSync(path, 'utf8')]))
}

function changeAll(tx: Transaction): void {
  tx.set('inline', LARGE)
  tx.set('file', 'now inline')
  tx.set('file', LARGE)
  tx.delete('deleted')
  expect(tx.pop('popped')).toBe(STATE['popped'])
  tx.set('new', LARGE)
  tx.pop('new')
  tx.set('newer', LARGE)
  tx.incr('count')
  tx.touch('nested', { ttl: 0 })
}

describe.each(KINDS)('transact() of a %s', kind => {
  it.each([false, true])('leaves nothing when its process is killed in the body (clear: %s)', async clear => {
    const directory = temporaryDirectory()
    const first = cacheOf(kind, directory)
    await fill(first)
    await first.close()
    const child = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind), clear })
    await child.line('inside')
    await child.kill()

    const cache = cacheOf(kind, directory)
    expect(await stateOf(cache)).toEqual(STATE)
    const found = await cache.check()
    expect(found.filter(({ kind: what }) => what !== 'unknown-file' && what !== 'empty-directory')).toEqual([])
    await cache.check({ fix: true })
    expect(kindsOf(await cache.check())).toEqual([])
    expect(await stateOf(cache)).toEqual(STATE)
  })

  it('keeps others on the old state while the body runs', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await fill(cache)
    const child = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind), clear: true })
    await child.line('inside')
    expect(await stateOf(cache)).toEqual(STATE)
    await child.kill()
    expect(await cache.set('inline', 'free again', { retry: true })).toBe(true)
  })

  it('keeps the files of a long body, whoever repairs the directory meanwhile', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await fill(cache)
    const options = { kind, directory, options: optionsOf(kind), milliseconds: 700 }
    const child = new FixtureProcess(SCRIPT, options)
    await child.line('inside')
    await cache.check({ fix: true })
    await child.done()
    expect(await cache.getMany(['file', 'new', 'inner'])).toEqual(['C', 'N', 'I'].map(char => char.repeat(50_000)))
    expect(await cache.check()).toEqual([])
  })

  it('restores all, files too, when the body throws', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await fill(cache)
    const files = filesOf(directory)
    for (const last of [(tx: Transaction) => tx.count(), (tx: Transaction) => tx.clear()]) {
      const body = cache.transact(
        tx => {
          changeAll(tx)
          last(tx)
          throw new Error('changed my mind')
        },
        { retry: true },
      )
      await expect(body).rejects.toThrow('changed my mind')
      expect(await stateOf(cache)).toEqual(STATE)
      expect(filesOf(directory)).toEqual(files)
      expect(kindsOf(await cache.check())).toEqual([])
    }
  })

  it('undoes the inner body alone when the outer one goes on', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await fill(cache)
    await cache.transact(
      tx => {
        tx.set('outer', LARGE)
        const inner = (): void =>
          tx.transact(nested => {
            changeAll(nested)
            nested.delete('outer')
            throw new Error('inner')
          })
        expect(inner).toThrow('inner')
        expect(tx.get('file')).toBe(STATE['file'])
        expect(tx.get('outer')).toBe(LARGE)
        expect(tx.pop('popped')).toBe(STATE['popped'])
      },
      { retry: true },
    )
    const { popped: _, ...left } = STATE
    expect(await stateOf(cache)).toEqual({ ...left, outer: LARGE })
    expect(valueFiles(directory)).toHaveLength(4)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('restores what inner bodies have finished when the outer one throws', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await fill(cache)
    const files = filesOf(directory)
    const body = cache.transact(
      tx => {
        tx.transact(nested => {
          expect(nested.pop('nested')).toBe(STATE['nested'])
          nested.transact(deeper => {
            deeper.set('file', LARGE)
            deeper.pop('popped')
          })
          nested.set('inline', LARGE)
        })
        tx.evict('nothing')
        throw new Error('outer')
      },
      { retry: true },
    )
    await expect(body).rejects.toThrow('outer')
    expect(await stateOf(cache)).toEqual(STATE)
    expect(filesOf(directory)).toEqual(files)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('goes on after a verb that throws, which alone has no effect', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await fill(cache)
    await cache.transact(
      tx => {
        tx.set('file', LARGE)
        expect(() => tx.incr('file')).toThrow(TypeError)
        expect(() => tx.set('bad', () => 1)).toThrow(TypeError)
        tx.delete('deleted')
      },
      { retry: true },
    )
    const { deleted: _, ...left } = STATE
    expect(await stateOf(cache)).toEqual({ ...left, file: LARGE })
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('rolls back when the body returns a promise', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await fill(cache)
    const files = filesOf(directory)
    const body = async (tx: Transaction): Promise<void> => changeAll(tx)
    await expect(cache.transact(body, { retry: true })).rejects.toThrow(TypeError)
    expect(await stateOf(cache)).toEqual(STATE)
    expect(filesOf(directory)).toEqual(files)
  })
})
