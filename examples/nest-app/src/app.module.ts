import { Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { diskStore } from 'fanout-cache/cache-manager'
import { CacheModule } from 'fanout-cache/nest'
import { BooksController } from './books.controller.js'
import { BooksService } from './books.service.js'
import { HealthController } from './health.controller.js'

const directory = process.env['CACHE_DIR'] ?? 'cache'

@Module({
  imports: [
    // The cache of answers and of what services compute; all processes that are given the directory share it.
    CacheModule.register({ store: diskStore, directory: `${directory}/app`, ttl: '5m', isGlobal: true }),
    // A second one, for what takes long and shall outlive a burst of answers.
    CacheModule.registerAsync({
      name: 'reports',
      isGlobal: true,
      useFactory: async () => ({ store: diskStore, directory: `${directory}/reports`, sizeLimit: 100 * 2 ** 20 }),
    }),
    TerminusModule.forRoot({ logger: false }),
  ],
  controllers: [BooksController, HealthController],
  providers: [BooksService],
})
export class AppModule {}
