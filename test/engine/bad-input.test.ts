import { Cache, FanoutCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { cacheSubject, everySubject, fanoutSubject } from '../contract/subjects.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectMisuse, QUEUE_VERBS, VERBS } from './misuse.js'

/** `an entry of setMany` is one of `setMany`. */
const unknownIn = (verb: string): RegExp => new RegExp(`^${verb.split(' ').at(-1)}: unknown option zzzz`)

describe('unknown options', () => {
  for (const [verb, call] of Object.entries(VERBS)) {
    it(`${verb} rejects with TypeError for an unknown option, and names itself and it`, async () => {
      const cache = fanoutSubject('structured').make()
      for (const subject of [cache, cacheSubject('structured').make()]) {
        await expectMisuse(() => call(subject, { zzzz: 1 }), TypeError, unknownIn(verb), verb)
        await expectMisuse(() => call(subject, 7 as never), TypeError, /object/, verb)
        await expectMisuse(() => call(subject, 'ttl' as never), TypeError, /object/, verb)
        expect(await subject.count()).toBe(0)
      }
    })
  }

  for (const [verb, call] of Object.entries(QUEUE_VERBS)) {
    it(`${verb} rejects with TypeError for an unknown option, and names itself and it`, async () => {
      const cache = cacheSubject('structured').make()
      await expectMisuse(() => call(cache, { zzzz: 1 }), TypeError, unknownIn(verb), verb)
      expect(await cache.count()).toBe(0)
    })
  }

  it('set() names the option that was meant', async () => {
    const cache = cacheSubject('structured').make()
    await expectMisuse(() => cache.set('key', 1, { tll: 5 } as never), TypeError, /tll.*ttl/, 'tll')
    await expectMisuse(() => cache.set('key', 1, { Tags: [] } as never), TypeError, /Tags.*tags/, 'Tags')
    await expectMisuse(() => cache.set('key', 1, { expire: 5 } as never), TypeError, /expire.*ttl/, 'expire')
  })

  it('a name that one option alone has in its own is taken for that one', async () => {
    for (const Class of [Cache, FanoutCache]) {
      expect(() => new Class(undefined, { ttl: '5m' } as never)).toThrow(
        /unknown option ttl; did you mean defaultTtl\?$/,
      )
      expect(() => new Class(undefined, { policy: 'none' } as never)).toThrow(/did you mean evictionPolicy\?$/)
      expect(() => new Class(undefined, { max: 5 } as never)).toThrow(/unknown option max; known are /)
    }
    const cache = cacheSubject('structured').make()
    await expect(cache.getOrSet('key', () => 1, { stale: 5 } as never)).rejects.toThrow(/did you mean staleFor\?$/)
  })

  it('a name that has little in common with another is not taken for it', async () => {
    const cache = cacheSubject('structured').make()
    await expect(cache.touch('key', { tag: 'a' } as never)).rejects.toThrow(/^touch: unknown option tag; known are /)
    await expect(cache.touch('key', { tlt: 5 } as never)).rejects.toThrow('unknown option tlt; did you mean ttl?')
  })

  it('touch() rejects null in place of options, also inside transact()', async () => {
    for (const subject of everySubject()) {
      const cache = subject.make()
      await cache.set('key', 1)
      const message = 'touch: options must be an object, got null'
      await expect(cache.touch('key', null as never)).rejects.toThrow(message)
      await cache.transact(tx => expect(() => tx.touch('key', null as never)).toThrow(message))
    }
  })

  it('verbs throw the same inside transact()', async () => {
    for (const subject of everySubject()) {
      await subject.make().transact(tx => {
        expect(() => tx.set('key', 1, { zzzz: 1 } as never)).toThrow(/zzzz/)
        expect(() => tx.touch('key', { zzzz: 1 } as never)).toThrow(TypeError)
        expect(() => tx.incr('key', 1, { zzzz: 1 } as never)).toThrow(/^incr: unknown option zzzz/)
        expect(() => tx.decr('key', 1, { zzzz: 1 } as never)).toThrow(/^decr: unknown option zzzz/)
        expect(() => [...tx.keys({ zzzz: 1 } as never)]).toThrow(TypeError)
        expect(() => tx.expire({ zzzz: 1 } as never)).toThrow(TypeError)
      })
    }
  })

  it('the constructors throw TypeError for an unknown or misspelt option, and name it', () => {
    for (const make of [Cache, FanoutCache]) {
      const construct = (options: object) => () => new make(temporaryDirectory(), options)
      expect(construct({ zzzz: 1 })).toThrow(/zzzz/)
      expect(construct({ sizelimit: 2 ** 30 })).toThrow(/sizelimit.*sizeLimit/)
      expect(construct({ eviction_policy: 'none' })).toThrow(/eviction_policy.*evictionPolicy/)
      expect(construct({ disk: { minfilesize: 1 } })).toThrow(/minfilesize.*minFileSize/)
      expect(construct({ sqlite: { cachesize: 1 } })).toThrow(/cachesize.*cacheSize/)
      expect(construct({ maxPending: { counts: 1 } })).toThrow(/counts.*count/)
      for (const options of [null, 7, 'ttl', []]) expect(construct(options as never)).toThrow(TypeError)
    }
    expect(() => new Cache(temporaryDirectory(), { shards: 2 } as never)).toThrow(/shards/)
  })
})
