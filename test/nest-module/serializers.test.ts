import {
  type CallHandler,
  ClassSerializerInterceptor,
  Controller,
  type ExecutionContext,
  Get,
  Inject,
  Injectable,
  Optional,
  SerializeOptions,
  type Type,
  UseInterceptors,
} from '@nestjs/common'
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core'
import type { FanoutCache } from 'fanout-cache'
import { CacheInterceptor, CacheModule, getDiskCacheToken } from 'fanout-cache/nest'
import { describe, expect, it } from 'vitest'
import { type NestApp, startApp } from './nest-app.js'

/** As class-transformer does it: what a class hides is left out, and plain objects have nothing to hide. */
const transformerPackage = {
  classToPlain(value: object, { groups = [] }: { groups?: string[] } = {}) {
    if (!(value instanceof User)) return { ...value }
    const { password, ...others } = value
    return groups.includes('admin') ? { ...others, password } : others
  },
  plainToInstance: (type: Type, plain: object) => Object.assign(new type(), plain),
}

class User {
  readonly id: number = 1
  readonly password: string = 'secret'
}

@Injectable()
class Serializer extends ClassSerializerInterceptor {
  constructor(@Inject(Reflector) reflector: Reflector, @Optional() options: object = {}) {
    super(reflector, { ...options, transformerPackage } as never)
  }
}

@Injectable()
class FailingSerializer extends Serializer {
  override serialize(): never {
    throw new TypeError('cannot be serialized')
  }
}

class Handlers {
  @Get()
  user(): User {
    return new User()
  }

  @Get('many')
  users(): User[] {
    return [new User(), new User()]
  }

  @Get('admin')
  @SerializeOptions({ groups: ['admin'] } as never)
  all(): User {
    return new User()
  }

  @Get('typed')
  @SerializeOptions({ type: User })
  typed(): object {
    return { id: 2, password: 'of a plain object' }
  }

  @Get('bigint')
  bigint(): object {
    return { large: 5n }
  }

  @Get('plain')
  plain(): object {
    return { password: 'meant to be seen' }
  }
}

@Injectable()
class Calling {
  constructor(@Inject(CacheInterceptor) private readonly ours: CacheInterceptor) {}

  intercept(context: ExecutionContext, next: CallHandler): Promise<unknown> {
    return this.ours.intercept(context, next)
  }
}

function controller(...interceptors: (Type | ClassSerializerInterceptor)[]): Type {
  class Users extends Handlers {}
  Controller('users')(Users)
  if (interceptors.length > 0) UseInterceptors(...(interceptors as Type[]))(Users)
  return Users
}

const WAYS: Readonly<Record<string, () => Promise<NestApp>>> = {
  'on the controller, outside': () => start(controller(Serializer, CacheInterceptor)),
  'on the controller, as an instance': () => start(controller(new Serializer(new Reflector()), CacheInterceptor)),
  'on the controller, inside': () => start(controller(CacheInterceptor, Serializer)),
  'for the app': () =>
    startApp({ imports: [CacheModule.register()], controllers: [controller(CacheInterceptor)] }, app =>
      app.useGlobalInterceptors(new Serializer(new Reflector())),
    ),
  'for the app, and one that calls ours': () =>
    startApp(
      { imports: [CacheModule.register()], controllers: [controller(Calling as never)], providers: [CacheInterceptor] },
      app => app.useGlobalInterceptors(new Serializer(new Reflector())),
    ),
  'as APP_INTERCEPTOR': () => start(controller(CacheInterceptor), [{ provide: APP_INTERCEPTOR, useClass: Serializer }]),
  'as APP_INTERCEPTOR beside that of the cache': () =>
    start(controller(), [
      { provide: APP_INTERCEPTOR, useClass: Serializer },
      { provide: APP_INTERCEPTOR, useClass: CacheInterceptor },
    ]),
}

function start(users: Type, providers: object[] = []): Promise<NestApp> {
  return startApp({ imports: [CacheModule.register()], controllers: [users], providers: providers as never })
}

describe.each(Object.entries(WAYS))('A ClassSerializerInterceptor %s', (_way, startWith) => {
  it('hides on a hit what it hides on a miss', async () => {
    const app = await startWith()
    const paths = ['/users', '/users/many', '/users/admin', '/users/typed', '/users/plain']
    const expected = [
      { id: 1 },
      [{ id: 1 }, { id: 1 }],
      { id: 1, password: 'secret' },
      { id: 2 },
      { password: 'meant to be seen' },
    ]
    for (const said of ['MISS', 'HIT']) {
      for (const [at, path] of paths.entries()) {
        const { headers, body } = await app.get(path)
        expect([path, headers.get('x-cache'), body]).toEqual([path, said, expected[at]])
      }
    }
  })
})

describe('CacheInterceptor', () => {
  it('keeps nothing that an interceptor around it cannot serialize', async () => {
    const app = await start(controller(FailingSerializer, CacheInterceptor))
    for (let i = 0; i < 2; i++) expect((await app.get('/users')).status).toBe(500)
    const cache = app.app.get<FanoutCache>(getDiskCacheToken(), { strict: false })
    expect(await cache.count()).toBe(0)
  })

  it('keeps no answer that cannot be sent', async () => {
    const app = await start(controller(CacheInterceptor))
    const answers = [await app.get('/users/bigint'), await app.get('/users/bigint')]
    expect(answers.map(({ status, headers }) => [status, headers.get('x-cache')])).toEqual([
      [500, 'MISS'],
      [500, 'MISS'],
    ])
  })
})
