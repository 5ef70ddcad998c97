import { createKeyv } from '@keyv/redis'
import { CACHE_MANAGER, Cache, CacheModule } from '@nestjs/cache-manager'
import { Controller, Get, Inject, Module } from '@nestjs/common'
import { serve } from './serve.js'

const { url } = JSON.parse(process.argv[2] ?? '{}') as { url: string }
let calls = 0

@Controller()
class CatsController {
  constructor(@Inject(CACHE_MANAGER) private readonly cache: Cache) {}

  @Get('cats')
  cats(): Promise<object> {
    return this.cache.wrap('cats', async () => ({ cats: ['Tom'], call: ++calls }), 60_000)
  }
}

@Module({
  imports: [
    CacheModule.registerAsync({
      isGlobal: true,
      useFactory: async () => ({ stores: [createKeyv(url)] }),
    }),
  ],
  controllers: [CatsController],
})
class AppModule {}

serve(AppModule)
