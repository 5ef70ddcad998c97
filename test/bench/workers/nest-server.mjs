import { loadDoor, requireDeveloped } from '../harness/project.mjs'

/**
 * An app of Nest whose answers are kept: by the package, by the official module and interceptor in Redis, or not at all.
 * Any message is answered with the milliseconds of processor taken so far.
 */
const { directory, kind, url } = JSON.parse(process.argv[2])
requireDeveloped('reflect-metadata')
const { Controller, Get, Module, UseInterceptors } = requireDeveloped('@nestjs/common')
const { NestFactory } = requireDeveloped('@nestjs/core')

class Items {
  item() {
    return 'ok'
  }
}

const { imports, interceptor } = await cached()
Get('*path')(Items.prototype, 'item', Object.getOwnPropertyDescriptor(Items.prototype, 'item'))
if (interceptor) UseInterceptors(interceptor)(Items)
Controller()(Items)

class AppModule {}
Module({ imports, controllers: [Items] })(AppModule)

const app = await NestFactory.create(AppModule, { logger: false })
await app.listen(0, '127.0.0.1')
const server = app.getHttpServer()
// The clients wait while other servers have their turn.
server.keepAliveTimeout = 0
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send({ cpu: (user + system) / 1e3 })
})
process.on('disconnect', () => process.exit())
process.send({ port: server.address().port })

async function cached() {
  if (kind === 'none') return { imports: [] }
  if (kind === 'disk') {
    const { CacheInterceptor, CacheModule } = await loadDoor('nest')
    return { imports: [CacheModule.register({ directory, ttl: '1h' })], interceptor: CacheInterceptor }
  }
  const { CacheInterceptor, CacheModule } = requireDeveloped('@nestjs/cache-manager')
  const { Keyv } = requireDeveloped('keyv')
  const { default: KeyvRedis } = requireDeveloped('@keyv/redis')
  const stores = [new Keyv({ store: new KeyvRedis(url) })]
  return { imports: [CacheModule.register({ stores, ttl: 3_600_000 })], interceptor: CacheInterceptor }
}
