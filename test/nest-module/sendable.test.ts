import { Controller, Get, UseInterceptors } from '@nestjs/common'
import { CacheInterceptor, CacheModule } from 'fanout-cache/nest'
import { EMPTY } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { startApp } from './nest-app.js'

class Day extends Date {
  override toJSON(): string {
    return this.toISOString().slice(0, 10)
  }
}

/** A list that says by itself how it is sent. */
function listOf(json: unknown): unknown[] {
  return Object.assign(['secret'], { toJSON: () => json })
}

@Controller()
class Answers {
  @Get('day')
  day(): object {
    return { day: new Day(0) }
  }

  @Get('list')
  list(): unknown {
    return listOf(['shown'])
  }

  @Get('bytes')
  bytes(): unknown {
    return { bytes: Object.assign(Buffer.from('secret'), { toJSON: () => 'shown' }) }
  }

  @Get('text-list')
  textList(): unknown {
    return listOf('shown')
  }

  @Get('url')
  url(): URL {
    return new URL('http://cats.test/')
  }

  @Get('error')
  error(): Error {
    return new Error('returned')
  }

  @Get('empty')
  empty(): unknown {
    return EMPTY
  }
}

@Controller('cached')
@UseInterceptors(CacheInterceptor)
class CachedAnswers extends Answers {}

const start = () => startApp({ imports: [CacheModule.register()], controllers: [Answers, CachedAnswers] })

describe('What CacheInterceptor sends', () => {
  it.each([
    ['a date that says by itself how it is written', 'day', 'HIT'],
    ['a list that says by itself how it is written', 'list', 'HIT'],
    ['bytes that say by themselves how they are written', 'bytes', 'HIT'],
    ['an object that is sent as a JSON string', 'url', 'MISS'],
    ['a list that is sent as a JSON string', 'text-list', 'MISS'],
    ['an error that a handler returns', 'error', 'MISS'],
    ['the failure of an Observable without values', 'empty', 'MISS'],
  ])('is what Nest sends alone: %s', async (_, path, said) => {
    const app = await start()
    const [alone, first, second] = [
      await app.get(`/${path}`),
      await app.get(`/cached/${path}`),
      await app.get(`/cached/${path}`),
    ]
    for (const { status, headers, body } of [first, second])
      expect([status, headers.get('content-type'), body]).toEqual([
        alone.status,
        alone.headers.get('content-type'),
        alone.body,
      ])
    expect(second.headers.get('x-cache') ?? 'MISS').toBe(said)
  })
})
