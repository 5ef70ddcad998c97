import { Controller, type DynamicModule, Get, Inject, Injectable, Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { diskStore } from 'fanout-cache/cache-manager'
import { createKeyv } from 'fanout-cache/keyv'
import { CacheModule, CacheName, type CacheOptions, type CacheOptionsFactory } from 'fanout-cache/nest'
import { CatsController, CatsService, HealthController } from './cats.js'
import { serve } from './serve.js'

const { directory, form } = JSON.parse(process.argv[2] ?? '{}') as { directory: string; form: string }

@Injectable()
export class Settings {
  readonly directory: string = directory
}

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}

@Injectable()
export class CacheSettings implements CacheOptionsFactory {
  constructor(@Inject(Settings) private readonly settings: Settings) {}

  createCacheOptions(): CacheOptions {
    return { store: diskStore, directory: this.settings.directory, ttl: '5m' }
  }
}

@Module({ imports: [SettingsModule], providers: [CacheSettings], exports: [CacheSettings] })
export class CacheSettingsModule {}

@Controller('misnamed')
export class MisnamedController {
  @Get()
  @CacheName('reprots')
  page(): string {
    return 'never'
  }
}

const FORMS: Record<string, () => DynamicModule> = {
  register: () => CacheModule.register({ store: diskStore, directory, ttl: '5m', isGlobal: true }),
  create: () => CacheModule.register({ store: { create: diskStore.create }, directory, ttl: 300_000 }),
  instance: () => CacheModule.register({ store: diskStore({ directory, ttl: '5m' }) }),
  promise: () => CacheModule.register({ store: Promise.resolve(diskStore({ directory, ttl: '5m' })) }),
  stores: () => CacheModule.register({ stores: [createKeyv(directory, { ttl: '5m' })] }),
  useFactory: () =>
    CacheModule.registerAsync({
      isGlobal: true,
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: async (settings: Settings) => ({ store: diskStore, directory: settings.directory, ttl: '5m' }),
    }),
  useClass: () => CacheModule.registerAsync({ imports: [SettingsModule], useClass: CacheSettings }),
  useExisting: () => CacheModule.registerAsync({ imports: [CacheSettingsModule], useExisting: CacheSettings }),
  misnamed: () => CacheModule.register({ directory }),
  wrong: () => CacheModule.register({ store: diskStore, stores: [] }),
}

@Module({
  imports: [
    TerminusModule.forRoot({ logger: false }),
    FORMS[form]?.() ?? [],
    CacheModule.register({ name: 'reports', store: diskStore, directory: `${directory}/reports` }),
  ].flat(),
  controllers: [CatsController, HealthController, form === 'misnamed' ? MisnamedController : []].flat(),
  providers: [CatsService],
})
export class AppModule {}

serve(AppModule)
