import { HealthCheckService, TerminusModule } from '@nestjs/terminus'
import { FanoutCache } from 'fanout-cache'
import { CacheModule, DiskCacheHealthIndicator, getDiskCacheToken } from 'fanout-cache/nest'
import { describe, expect, it } from 'vitest'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { createApp } from './nest-app.js'

async function start() {
  const directory = temporaryDirectory()
  const imports = [
    TerminusModule,
    CacheModule.register({ directory, shards: 1 }),
    CacheModule.register({ directory: temporaryDirectory(), shards: 1, name: 'reports' }),
  ]
  const app = await createApp({ imports })
  const indicator = app.get(DiskCacheHealthIndicator)
  const terminus = await app.resolve(HealthCheckService)
  return {
    app,
    directory,
    indicator,
    check: (options?: object) => terminus.check([() => indicator.isHealthy('disk', options)]),
  }
}

describe('DiskCacheHealthIndicator', () => {
  it('tells Terminus that the cache is up, with its size', async () => {
    const { app, check } = await start()
    await app.get<FanoutCache>(getDiskCacheToken()).set('key', 'value')
    const result = await check()
    expect(result).toMatchObject({ status: 'ok', details: { disk: { status: 'up', count: 1 } } })
    expect(result.details['disk']?.['volume']).toBeGreaterThan(0)
    expect(await check({ name: 'reports' })).toMatchObject({ details: { disk: { status: 'up', count: 0 } } })
  })

  it('tells Terminus that the cache is down while it cannot be written', async () => {
    const { check, directory } = await start()
    const others = rawDatabase(`${directory}/000`)
    others.exec('BEGIN IMMEDIATE')
    const error = await check({ timeout: 20 }).catch((error: unknown) => error)
    expect(error).toMatchObject({
      status: 503,
      response: {
        status: 'error',
        error: { disk: { status: 'down', message: expect.stringContaining('locked by others for 20 ms') } },
      },
    })
    others.exec('ROLLBACK')
    expect(await check()).toMatchObject({ status: 'ok' })
  })

  it('tells Terminus that a cache that may only be read is up', async () => {
    const directory = temporaryDirectory()
    const cache = new FanoutCache(directory, { shards: 1 })
    await cache.set('key', 'value')
    await cache.close()
    const imports = [TerminusModule, CacheModule.register({ directory, readonly: true })]
    const indicator = (await createApp({ imports })).get(DiskCacheHealthIndicator)
    expect(await indicator.isHealthy('disk')).toMatchObject({ disk: { status: 'up', count: 1 } })
  })

  it('writes nothing', async () => {
    const { app, check } = await start()
    const cache = app.get<FanoutCache>(getDiskCacheToken())
    await check()
    expect(await cache.count()).toBe(0)
  })

  it('refuses options that it does not know', async () => {
    const { indicator } = await start()
    await expect(indicator.isHealthy('disk', { timout: 1 } as never)).rejects.toThrow(/did you mean timeout\?/)
  })
})
