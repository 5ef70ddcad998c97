import { CACHE_MANAGER, Cache, CacheInterceptor, CacheKey, CacheModule, CacheTTL } from '@nestjs/cache-manager'
import { Controller, Get, Inject, Module, UseInterceptors } from '@nestjs/common'
import { serve } from './serve.js'

let calls = 0

@Controller()
class CatsController {
  constructor(@Inject(CACHE_MANAGER) private readonly cache: Cache) {}

  @Get('cats')
  @UseInterceptors(CacheInterceptor)
  @CacheKey('cats')
  @CacheTTL(60_000)
  cats(): object {
    return { cats: ['Tom'], call: ++calls }
  }

  @Get('dogs')
  async dogs(): Promise<object> {
    const kept = await this.cache.get<object>('dogs')
    if (kept) return kept
    const dogs = { dogs: ['Rex'], call: ++calls }
    await this.cache.set('dogs', dogs, 60_000)
    return dogs
  }
}

@Module({
  imports: [CacheModule.register({ ttl: 5000, isGlobal: true })],
  controllers: [CatsController],
})
class AppModule {}

serve(AppModule)
