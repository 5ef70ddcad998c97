import { Controller, Get, Inject, Injectable, UseInterceptors } from '@nestjs/common'

import { ExternalContextCreator } from '@nestjs/core'
import type { Cache as CacheManager } from 'cache-manager'
import type { FanoutCache } from 'fanout-cache'
import { CACHE_MANAGER, Cacheable, CacheInterceptor, CacheKey, CacheModule, getDiskCacheToken } from 'fanout-cache/nest'
import { beforeEach, describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { startApp } from './nest-app.js'

let calls = 0

@Injectable()
class Animals {
  constructor(@Inject(CACHE_MANAGER) readonly manager: CacheManager) {}

  @Cacheable()
  async find(id: string): Promise<object> {
    return { id, calls: ++calls }
  }

  @Cacheable({ key: (id: string) => `animal:${id}` })
  async named(id: string): Promise<object> {
    return { id, calls: ++calls }
  }

  @Cacheable({ key: 'cats' })
  async cats(): Promise<string[]> {
    calls++
    return ['Tom']
  }

  dogs(): Promise<string[]> {
    return this.manager.wrap('dogs', async () => {
      calls++
      return ['Rex']
    })
  }

  birds(): Promise<string[]> {
    return this.manager.wrap('cats', () => this.cats())
  }

  fish(): Promise<unknown> {
    return this.manager.wrap('fish', () => this.manager.wrap('fish', async () => ++calls))
  }

  private attempts = 0

  @Cacheable()
  async patiently(id: string): Promise<object> {
    if (++this.attempts < 3) return this.patiently(id)
    return { id, attempts: this.attempts }
  }

  later: Promise<string[]> | undefined

  @Cacheable({ key: 'cats' })
  async catsThatStay(): Promise<string[]> {
    this.later = new Promise(resolve => setTimeout(resolve, 20)).then(() => this.cats())
    return ['Felix']
  }
}

@Injectable()
class Pets extends Animals {
  @Cacheable()
  override async find(id: string): Promise<object> {
    return { pet: await super.find(id) }
  }

  @Cacheable({ key: (id: string) => `animal:${id}` })
  override async named(id: string): Promise<object> {
    return { pet: await super.named(id) }
  }

  wild(id: string): Promise<object> {
    return super.find(id)
  }
}

@Controller()
@UseInterceptors(CacheInterceptor)
class AnimalsController {
  constructor(@Inject(Animals) readonly animals: Animals) {}

  @Get('cats')
  @CacheKey('cats')
  cats() {
    return this.animals.cats()
  }

  @Get('dogs')
  @CacheKey('dogs')
  dogs() {
    return this.animals.dogs()
  }
}

async function start() {
  const web = await startApp({
    imports: [CacheModule.register({ directory: temporaryDirectory(), shards: 1, isGlobal: true })],
    providers: [Animals, Pets],
    controllers: [AnimalsController],
  })
  const { app } = web
  return { app, web, animals: app.get(Animals), pets: app.get(Pets), cache: app.get<FanoutCache>(getDiskCacheToken()) }
}

beforeEach(() => {
  calls = 0
})

describe('A method that another one of its class calls by super', () => {
  it('keeps its results apart from those of the other', async () => {
    const { pets, cache } = await start()
    const pet = { pet: { id: 'rex', calls: 1 } }
    expect([await pets.find('rex'), await pets.find('rex')]).toEqual([pet, pet])
    expect(await pets.wild('rex')).toEqual(pet.pet)
    expect(await pets.find('rex')).toEqual(pet)
    const keys = [':Pets.find(rex)', ':Pets.find of Animals(rex)']
    expect(await Promise.all(keys.map(key => cache.has(key)))).toEqual([true, true])
  })

  it('does not wait for the other where both have one key', async () => {
    const { pets } = await start()
    const pet = { pet: { id: '1', calls: 1 } }
    expect([await pets.named('1'), await pets.named('1'), calls]).toEqual([pet, pet, 1])
  })
})

describe('A computation that asks for its own key', () => {
  it.each(['cats', 'dogs'])('is answered, where a handler for %s calls what keeps its result', async name => {
    const { web, animals, cache } = await start()
    const first = await web.get(`/${name}`)
    expect(await web.cached([`/${name}`])).toEqual(['HIT'])
    expect(await animals[name as 'cats' | 'dogs']()).toEqual(first.body)
    expect([calls, await cache.count()]).toEqual([1, 1])
  })

  it('is answered, where a handler outside of HTTP calls what keeps its result', async () => {
    const { app, cache } = await start()
    const controller = app.get(AnimalsController)
    const handle = app
      .get(ExternalContextCreator)
      .create(controller, controller.cats, 'cats', undefined, undefined, undefined, undefined, undefined, 'rpc')
    expect([await handle(), await handle(), calls]).toEqual([['Tom'], ['Tom'], 1])
    expect(await cache.get(':cats')).toEqual(['Tom'])
  })

  it('is answered, where it is a wrap of the cache manager', async () => {
    const { animals } = await start()
    expect([await animals.birds(), await animals.birds(), calls]).toEqual([['Tom'], ['Tom'], 1])
    expect([await animals.fish(), await animals.fish()]).toEqual([2, 2])
  })

  it('is answered, where a method calls itself', async () => {
    const { animals } = await start()
    const answer = { id: '1', attempts: 3 }
    expect([await animals.patiently('1'), await animals.patiently('1')]).toEqual([answer, answer])
  })

  it('is over for what it has started and left behind', async () => {
    const { animals } = await start()
    expect(await animals.catsThatStay()).toEqual(['Felix'])
    expect([await animals.later, calls]).toEqual([['Felix'], 0])
  })
})
