import {
  Controller,
  Delete,
  Get,
  Header,
  Inject,
  Injectable,
  Param,
  Post,
  Req,
  Res,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common'
import { HealthCheckService } from '@nestjs/terminus'
import type { FanoutCache } from 'fanout-cache'
import {
  CACHE_MANAGER,
  Cache,
  CacheAudience,
  Cacheable,
  CacheEvict,
  CacheInterceptor,
  CacheKey,
  CacheName,
  CacheTags,
  CacheTTL,
  DiskCacheHealthIndicator,
  InjectCacheManager,
  InjectDiskCache,
} from 'fanout-cache/nest'

/** The number of a call, and the process that made it. */
let calls = 0
const call = (): string => `${process.pid}-${++calls}`

@Injectable()
export class CatsService {
  @Cacheable({ key: (id: string) => `cat:${id}`, ttl: '5m', tags: ['cats'] })
  async find(id: string): Promise<object> {
    return { id, call: call(), born: new Date(0) }
  }

  @Cacheable({ cache: 'reports' })
  async report(year: number): Promise<Map<string, string>> {
    return new Map([[String(year), call()]])
  }

  @CacheEvict({ key: (id: string) => `cat:${id}` })
  async rename(id: string): Promise<string> {
    return id
  }
}

@Controller()
@UseInterceptors(CacheInterceptor)
export class CatsController {
  constructor(
    private readonly cats: CatsService,
    private readonly byClass: Cache,
    @Inject(CACHE_MANAGER) private readonly manager: Cache,
    @InjectCacheManager('reports') private readonly reports: Cache,
    @InjectDiskCache() private readonly engine: FanoutCache,
    @InjectDiskCache('reports') private readonly reportsEngine: FanoutCache,
  ) {}

  @Get('call')
  call(): object {
    return { call: call() }
  }

  @Get('slow')
  @CacheTTL('1m')
  async slow(): Promise<object> {
    await new Promise(resolve => setTimeout(resolve, 300))
    return { call: call() }
  }

  @Get('status')
  status(
    @Res({ passthrough: true }) res: { status(code: number): unknown; header(name: string, value: string): unknown },
  ) {
    res.status(202)
    res.header('X-Made', call())
    return { accepted: true }
  }

  @Get('bytes')
  @Header('Content-Type', 'application/octet-stream')
  bytes(): Buffer {
    calls++
    return Buffer.from([0, 1, 254, 255])
  }

  @Get('null')
  null(): null {
    calls++
    return null
  }

  @Get('file')
  file(): StreamableFile {
    calls++
    return new StreamableFile(Buffer.from('file'))
  }

  @Get('mine')
  mine(@Req() req: { headers: Record<string, string> }): object {
    return { who: req.headers['authorization'] ?? null, call: call() }
  }

  @Get('per-person')
  @CacheAudience(context => context.switchToHttp().getRequest().headers.authorization)
  perPerson(@Req() req: { headers: Record<string, string> }): object {
    return { who: req.headers['authorization'] ?? null, call: call() }
  }

  @Get('named')
  @CacheKey('named')
  @CacheTags('pages')
  named(): object {
    return { call: call() }
  }

  @Get('never')
  @CacheTTL(0)
  never(): object {
    return { call: call() }
  }

  @Get('by-hand')
  byHand(@Res() res: { send(body: unknown): unknown }): void {
    res.send({ call: call() })
  }

  @Get('report-page')
  @CacheName('reports')
  reportPage(): object {
    return { call: call() }
  }

  @Get('cats/:id')
  @CacheTTL(0)
  find(@Param('id') id: string): Promise<object> {
    return this.cats.find(id)
  }

  @Get('reports/:year')
  @CacheTTL(0)
  async report(@Param('year') year: string): Promise<object> {
    return Object.fromEntries(await this.cats.report(Number(year)))
  }

  @Delete('cats/:id')
  rename(@Param('id') id: string): Promise<string> {
    return this.cats.rename(id)
  }

  @Post('evict/pages')
  @CacheEvict({ tags: ['pages'] })
  evict(): string {
    return 'evicted'
  }

  /** What existing code does with its cache manager. */
  @Post('manager')
  async useManager(): Promise<object> {
    await this.manager.set('a', { list: [1] }, 60_000)
    const wrapped = await this.manager.wrap('wrapped', async () => ({ call: call() }), 60_000)
    await this.reports.set('a', 'report')
    return {
      same: this.manager === this.byClass,
      a: await this.byClass.get('a'),
      missing: (await this.manager.get('missing')) ?? null,
      wrapped,
      report: await this.reports.get('a'),
      named: await this.manager.get('named'),
      directories: [this.engine.directory, this.reportsEngine.directory],
    }
  }
}

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly disk: DiskCacheHealthIndicator,
  ) {}

  @Get()
  check(): Promise<unknown> {
    return this.health.check([() => this.disk.isHealthy('cache', { timeout: 50 })])
  }

  @Get('reports')
  reports(): Promise<unknown> {
    return this.health.check([() => this.disk.isHealthy('reports', { name: 'reports' })])
  }
}
