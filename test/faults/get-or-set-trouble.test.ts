import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CacheEvents, DecodeError } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { Gate } from '../helpers/gate.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { PATIENCE_MILLISECONDS } from '../helpers/patience.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, kindsOf } from './support/caches.js'
import { Computers, KEY, sendAll, valuesOf } from './support/computers.js'
import { LockHolder } from './support/lock-holder.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

const UNBOUNDED = 2 ** 30

describe.each(KINDS)('getOrSet() on a %s that cannot be written', kind => {
  it('answers while another process holds the lock, and tells that nothing was stored', async () => {
    const computers = await Computers.on(kind)
    const processes = await computers.start(3, 'answer', { timeout: 200 })
    const holder = await LockHolder.holding(kind, computers.directory)
    sendAll(processes, 'go')
    const told = await Promise.all(processes.map(process => process.done()))
    for (const [at, lines] of told.entries()) {
      expect(lines).toContain(`value made by ${processes[at]?.pid}`)
      expect(lines).toContain('refused timeout')
    }
    await holder.free()
    expect(await computers.stored()).toBeNull()
  })

  it('answers when the lock is taken during the computation', async () => {
    const computers = await Computers.on(kind)
    const runner = await computers.computing('wait', { timeout: 200, lease: 300 })
    const holder = await LockHolder.holding(kind, computers.directory)
    runner.send('finish')
    await runner.line('refused timeout')
    expect(await runner.line('value')).toBe(`value made by ${runner.pid}`)
    await holder.free()
    const cache = cacheOf(kind, computers.directory)
    expect(await cache.getOrSet(KEY, () => 'next')).toBe('next')
    await computers.expectClean()
  })

  it('answers all processes once a lock is free that was held meanwhile', async () => {
    const computers = await Computers.on(kind)
    const processes = await computers.start(4, 'answer', { timeout: '1m' })
    const holder = await LockHolder.holding(kind, computers.directory)
    sendAll(processes, 'go')
    await Promise.all(processes.map(process => process.line('asking')))
    expect(computers.computed()).toEqual([])
    await holder.free()
    expect(new Set(await valuesOf(processes)).size).toBe(1)
    expect(computers.computed()).toHaveLength(1)
  })

  it('answers an old value at once, again and again, while the lock is held', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { clock })
    const options = { ttl: 1000, staleFor: '1h', lease: '1h' } as const
    await cache.getOrSet(KEY, () => 'old', options)
    clock.advance(1000)
    const holder = await LockHolder.holding(kind, directory)
    const factory = vi.fn(() => 'new')
    for (let call = 0; call < 20; call++) {
      expect(await cache.getOrSet(KEY, factory, options)).toBe('old')
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(factory).not.toHaveBeenCalled()
    await holder.free()
    await expect.poll(() => cache.get(KEY)).toBe('new')
    expect(factory).toHaveBeenCalledTimes(1)
  })

  it('answers an old value at once while a new one waits for the lock', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { clock })
    const options = { ttl: 1000, staleFor: '1h', lease: '1h' } as const
    await cache.getOrSet(KEY, () => 'old', options)
    clock.advance(1000)
    const begun = new Gate()
    const result = new Gate<string>()
    const factory = (): Promise<string> => {
      begun.open()
      return result.opened
    }
    expect(await cache.getOrSet(KEY, factory, options)).toBe('old')
    await begun.opened
    const holder = await LockHolder.holding(kind, directory)
    result.open('new')
    for (let call = 0; call < 20; call++) {
      await new Promise(resolve => setImmediate(resolve))
      expect(await cache.getOrSet(KEY, () => 'another', options)).toBe('old')
    }
    await holder.free()
    await expect.poll(() => cache.get(KEY)).toBe('new')
  })

  it('computes nothing for an old value that it could not store', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { clock })
    const options = { ttl: 1000, staleFor: '1h', timeout: 100 } as const
    await cache.getOrSet(KEY, () => 'old', options)
    clock.advance(1000)
    const holder = await LockHolder.holding(kind, directory)
    const refused = new Gate<CacheEvents['refused']>()
    cache.on('refused', event => refused.open(event))
    const factory = vi.fn(() => 'new')
    expect(await cache.getOrSet(KEY, factory, options)).toBe('old')
    expect(await refused.opened).toMatchObject({ key: KEY, reason: 'timeout' })
    await new Promise(resolve => setImmediate(resolve))
    expect(factory).not.toHaveBeenCalled()
    await holder.free()
  })

  it.skipIf(!tmpfsAvailable)('answers on a full disk, and tells that nothing was stored', async () => {
    const root = mountTmpfs('size=16m')
    const directory = join(root, 'cache')
    const cache = cacheOf(kind, directory, { evictionPolicy: 'none', sizeLimit: UNBOUNDED })
    await cache.set('stored', 'before')
    fillUp(root)
    const refused: CacheEvents['refused'][] = []
    cache.on('refused', event => refused.push(event))
    const large = 'L'.repeat(2_000_000)
    for (const value of [large, 'small'.repeat(1000)]) {
      for (let key = 0; key < 20; key++) expect(await cache.getOrSet(key, () => value)).toBe(value)
    }
    expect(refused.length).toBeGreaterThanOrEqual(20)
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['full']))
    expect(await cache.getOrSet('stored', () => 'again')).toBe('before')
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it.skipIf(!tmpfsAvailable)('lets nobody wait for it whose disk gets full during the computation', async () => {
    const root = mountTmpfs('size=16m')
    const cache = cacheOf(kind, join(root, 'cache'), { evictionPolicy: 'none', sizeLimit: UNBOUNDED })
    await cache.set('stored', 'before')
    const compute = async (): Promise<string> => {
      fillUp(root)
      return 'made'
    }
    expect(await cache.getOrSet(KEY, compute, { lease: '1h' })).toBe('made')
    const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS)
    expect(await cache.getOrSet(KEY, () => 'again', { lease: '1h', signal })).toBe('again')
  })
})

describe.each(KINDS)('getOrSet() on a %s', kind => {
  it('computes for others when a computation was given up and does not end', async () => {
    const cache = cacheOf(kind, temporaryDirectory())
    const abort = new AbortController()
    const begun = new Gate()
    const endless = (): Promise<string> => {
      begun.open()
      return new Promise(() => undefined)
    }
    const answer = cache.getOrSet(KEY, endless, { lease: 100, signal: abort.signal })
    await begun.opened
    abort.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
    expect(await cache.getOrSet(KEY, () => 'made', { lease: 100 })).toBe('made')
  })

  it('rejects as get() does when the bytes of a file are no value, and harms nobody', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.getOrSet(KEY, () => ({ some: 'object' }), { file: true })
    const [file = ''] = valueFiles(directory)
    writeFileSync(file, '}'.repeat(readFileSync(file).length))
    await expect(cache.get(KEY)).rejects.toThrow(DecodeError)
    await expect(cache.getOrSet(KEY, () => 'new')).rejects.toThrow(DecodeError)
    await cache.delete(KEY)
    expect(await cache.getOrSet(KEY, () => 'new')).toBe('new')
  })

  it('computes anew when the file of a value is gone', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.getOrSet(KEY, () => 'old', { file: true })
    const [file = ''] = valueFiles(directory)
    writeFileSync(file, '')
    expect(await cache.getOrSet(KEY, () => 'new', { file: true })).toBe('new')
    expect(await cache.getOrSet(KEY, () => 'again')).toBe('new')
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('answers when the directory is removed during the computation, and goes on', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    const factory = async (): Promise<string> => {
      rmSync(directory, { recursive: true, maxRetries: 50, retryDelay: 2 })
      // A write looks at most once a millisecond at whether the database is still there.
      const removed = performance.now()
      while (performance.now() - removed < 2) await new Promise(resolve => setImmediate(resolve))
      return 'made'
    }
    expect(await cache.getOrSet(KEY, factory)).toBe('made')
    expect(await cache.getOrSet(KEY, () => 'again')).toBe('again')
    expect(await cache.get(KEY)).toBe('again')
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('computes for itself when it is closed while another process computes', async () => {
    const computers = await Computers.on(kind)
    const runner = await computers.computing('wait')
    const cache = cacheOf(kind, computers.directory)
    await cache.open()
    const answer = cache.getOrSet(KEY, () => 'own')
    await new Promise(resolve => setImmediate(resolve))
    await cache.close()
    expect(await answer).toBe('own')
    runner.send('finish')
    await valuesOf([runner])
    expect(await computers.stored()).toBe(`made by ${runner.pid}`)
  })
})
