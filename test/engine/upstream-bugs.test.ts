import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Cache, type FanoutCache, pickleCodec, ReadonlyError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { cacheSubject, everySubject, fanoutSubject, type Subject, withClock } from '../contract/subjects.js'
import { collect } from '../helpers/collect.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { expectNoValueFiles, valueFiles } from '../helpers/value-files.js'

// What Python's DiskCache 5.6.3 does and should not: every title says what this cache does instead.

const LARGE = 'x'.repeat(40_000)
const structured = cacheSubject('structured')
const BOTH = [structured, fanoutSubject('structured')] as Subject[]

describe('values and keys', () => {
  for (const subject of everySubject()) {
    it(`${subject.name} keeps the line ends of large text`, async () => {
      const cache = subject.make()
      for (const text of ['\r\n'.repeat(35_000), '\r'.repeat(70_000), `${'\n\r'.repeat(20_000)}\u2028`]) {
        await cache.set('key', text)
        expect(await cache.get('key')).toBe(text)
        expect(await (await cache.read('key'))?.bytes()).toEqual(Buffer.from(text))
      }
    })

    it(`${subject.name} refuses NaN as a key instead of growing by a row that nobody finds`, async () => {
      const cache = subject.make()
      await expect(cache.set(Number.NaN, 1)).rejects.toThrow(TypeError)
      expect(await cache.count()).toBe(0)
      expect(await cache.check()).toEqual([])
    })

    it(`${subject.name} finds equal composite keys, whichever objects they are made of`, async () => {
      const cache = subject.make()
      const one = 'some text'
      const same = ['some', 'text'].join(' ')
      await cache.set([one, one], 'shared')
      expect(await cache.get([one, same])).toBe('shared')
      await cache.set([one, same], 'replaced')
      expect(await cache.get([same, same])).toBe('replaced')
      expect(await cache.count()).toBe(1)
    })
  }

  for (const codec of ['structured', 'pickle'] as const) {
    it(`NaN as a value comes back as NaN from ${codec} codec, not as null`, async () => {
      const cache = cacheSubject(codec).make()
      await cache.set('key', Number.NaN)
      expect(await cache.get('key')).toBeNaN()
    })
  }

  it('1 and 1.0, 0 and -0 are one key over all shards', async () => {
    const cache = fanoutSubject('structured').make()
    await cache.set(1, 'a')
    expect(await cache.get(Number('1.0'))).toBe('a')
    await cache.set(0, 'b')
    expect(await cache.get(-0)).toBe('b')
    expect(await cache.count()).toBe(2)
  })

  it('jsonCodec lists the keys of a queue', async () => {
    const cache = cacheSubject('json').make()
    await cache.set('ordinary', 1)
    await cache.push('pushed')
    await cache.push('pushed', { prefix: 'jobs' })
    expect(await collect(cache.keys())).toEqual(['ordinary', 500_000_000_000_000, 'jobs-500000000000000'])
    expect((await cache.pull())?.value).toBe('pushed')
  })

  it('read() gives a file of small values too, instead of the value itself', async () => {
    const cache = structured.make()
    await cache.set('key', 'small')
    const file = await cache.read('key')
    expect(file?.stream()).toBeInstanceOf(Readable)
  })
})

describe('files that would be left behind or lost', () => {
  it('a reader that fails in the middle leaves no file', async () => {
    const cache = structured.make()
    const broken = Readable.from(
      (async function* chunks() {
        for (let chunk = 0; chunk < 10; chunk += 1) yield Buffer.alloc(100_000)
        throw new Error('read error')
      })(),
    )
    await expect(cache.set('key', broken)).rejects.toThrow('read error')
    await expectNoValueFiles(cache.directory)
  })

  it.each(BOTH)('a tag that cannot be stored leaves no file in a $name', async ({ make }) => {
    const cache = make()
    await expect(cache.set('key', LARGE, { tag: { not: 'a tag' } as never })).rejects.toThrow(TypeError)
    await expect(cache.add('key', LARGE, { tag: 2n ** 64n })).rejects.toThrow(RangeError)
    await expect(cache.transact(tx => tx.set('key', LARGE, { tag: 2n ** 64n }))).rejects.toThrow(RangeError)
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  for (const verb of ['set', 'pop', 'delete'] as const) {
    it(`${verb}() in an inner transaction loses no file when the outer one is undone`, async () => {
      const cache = structured.make()
      await cache.set('key', LARGE)
      const failing = cache.transact(tx => {
        tx.transact(inner => (verb === 'set' ? inner.set('key', `${LARGE}!`) : inner[verb]('key')))
        throw new Error('undo')
      })
      await expect(failing).rejects.toThrow('undo')
      expect(await cache.get('key')).toBe(LARGE)
      await expect.poll(() => valueFiles(cache.directory).length).toBe(1)
      expect(await cache.check()).toEqual([])
    })
  }

  it('peek() leaves the file that it shows', async () => {
    const cache = structured.make()
    await cache.push(LARGE)
    for (let look = 0; look < 3; look += 1) expect((await cache.peek())?.value).toBe(LARGE)
    expect(valueFiles(cache.directory)).toHaveLength(1)
  })
})

describe('loops without an end', () => {
  it('peek() and peekItem() end when the only file is missing, and remove its row', async () => {
    const cache = structured.make()
    for (const look of [
      () => cache.peek(),
      () => cache.peek({ side: 'back' }),
      () => cache.peekItem(),
      () => cache.pull(),
    ]) {
      await cache.push(LARGE)
      for (const path of valueFiles(cache.directory)) rmSync(path)
      expect(await look()).toBeUndefined()
      expect(await cache.count()).toBe(0)
    }
  })

  it.each(BOTH)(
    'retry: true ends on what waiting does not mend: a cache that is read only ($name)',
    async ({ make }) => {
      const first = make()
      await first.set('key', 1)
      await first.close()
      const cache = make({ readonly: true }, first.directory)
      await expect(cache.set('key', 2, { retry: true })).rejects.toThrow(ReadonlyError)
      await expect(cache.clear({ retry: true })).rejects.toThrow(ReadonlyError)
      expect(await cache.get('key')).toBe(1)
    },
  )

  it.each(BOTH)('retry: true ends on what waiting does not mend: a table that is gone ($name)', async ({ make }) => {
    const cache = make()
    await cache.set('key', 1)
    const shards = existsSync(join(cache.directory, '000')) ? ['000', '001', '002'] : ['.']
    for (const shard of shards) rawDatabase(join(cache.directory, shard)).exec('DROP TABLE Cache')
    // It is made again, since everything else of the cache is there.
    expect(await Promise.all([cache.delete('key', { retry: true }), cache.set('key', 2, { retry: true })])).toEqual([
      false,
      true,
    ])
    expect([await cache.get('key'), await cache.clear({ retry: true })]).toEqual([2, 1])
    expect(await cache.check()).toEqual([])
  })
})

describe('removals', () => {
  for (const subject of BOTH) {
    it(`expire() of ${subject.name} removes all of many items that expire at one instant`, async () => {
      const { cache, clock } = withClock(subject, { cullLimit: 0 })
      await cache.setMany(Array.from({ length: 2500 }, (_, key) => [key, key, { ttl: 1000 }]))
      clock.advance(1000)
      expect(await cache.expire()).toBe(2500)
    })

    it(`cull() of ${subject.name} counts what had expired, under the policy none too`, async () => {
      const { cache, clock } = withClock(subject, { cullLimit: 0, evictionPolicy: 'none' })
      for (let key = 0; key < 15; key += 1) await cache.set(key, key, { ttl: 1000 })
      clock.advance(1000)
      expect(await cache.cull()).toBe(15)
    })

    it(`${subject.name} under a limit never evicts the item just written`, async () => {
      const cache = subject.make({ sizeLimit: 3 * 200_000 })
      for (let key = 0; key < 60; key += 1) {
        await cache.set(key, Buffer.alloc(60_000))
        expect(await cache.has(key)).toBe(true)
      }
    })

    it(`${subject.name} keeps its stored limit when it is opened without one`, async () => {
      const first = subject.make({ sizeLimit: 33_000_000 })
      await first.set('key', 1)
      await first.close()
      const second = subject.make({}, first.directory)
      await second.set('key', 2)
      expect((await second.settings()).sizeLimit).toBe(33_000_000)
    })
  }

  it('an item that expires at this instant is expired for every verb', async () => {
    const { cache, clock } = withClock(structured)
    for (const key of ['incr', 'add', 'cull']) await cache.set(key, 5, { ttl: 1000 })
    await cache.push('pushed', { ttl: 1000 })
    clock.advance(1000)
    expect(await cache.incr('incr')).toBe(1)
    expect(await cache.add('add', 6)).toBe(true)
    expect(await cache.pull()).toBeUndefined()
    await cache.cull()
    expect(await cache.count()).toBe(2)
  })

  it('expire() removes what expired at or before the epoch', async () => {
    const { cache, clock } = withClock(structured)
    clock.set(0)
    const early = structured.make({ clock: { now: () => -1000 } })
    await early.set('key', 1, { ttl: 500 })
    expect(await early.expire({ now: 0 })).toBe(1)
    expect(await cache.count()).toBe(0)
  })
})

describe('the queue, shapes of answers and sub-caches', () => {
  it('push() passes over ordinary keys of numbers and text', async () => {
    const cache = structured.make()
    for (const key of [1, 2.5, 'P-5abc', 'P-12']) await cache.set(key, 'ordinary')
    expect(await cache.push('a')).toBe(500_000_000_000_000)
    expect(await cache.push('b', { prefix: 'P' })).toBe('P-500000000000000')
    expect(await cache.get(1)).toBe('ordinary')
  })

  it('getItem() and popItem() of a FanoutCache answer undefined under contention, in no other shape', async () => {
    const cache: FanoutCache = fanoutSubject('structured').make({ timeout: 10 })
    await cache.set(0, 'value', { ttl: '1h' })
    const db = rawDatabase(join(cache.directory, '000'))
    db.exec('BEGIN IMMEDIATE')
    expect(await cache.popItem(0, { retry: false })).toBeUndefined()
    expect(await cache.getItem(0)).toMatchObject({ value: 'value', expiresAt: expect.any(Number) })
    db.exec('ROLLBACK')
  })

  it('cache(name, { codec }) uses the codec that it is given', async () => {
    const below = fanoutSubject('structured').make().cache('test', { codec: pickleCodec })
    await below.set('key', { a: 1 })
    const bytes = rawDatabase(below.directory).prepare('SELECT value FROM Cache').pluck().get() as Buffer
    // A pickle of protocol 5.
    expect(bytes.subarray(0, 2).toString('hex')).toBe('8005')
  })

  it('a temporary cache removes its directory when it is closed', async () => {
    const cache = new Cache()
    await cache.set('key', LARGE)
    expect(existsSync(cache.directory)).toBe(true)
    await cache.close()
    expect(existsSync(cache.directory)).toBe(false)
  })
})
