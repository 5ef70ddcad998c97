import { Body, Controller, Get, Header, Inject, Param, Patch, Req, UseInterceptors } from '@nestjs/common'
import type { FanoutCache } from 'fanout-cache'
import {
  CACHE_MANAGER,
  Cache,
  CacheAudience,
  CacheInterceptor,
  CacheTags,
  CacheTTL,
  InjectDiskCache,
} from 'fanout-cache/nest'
import { type Book, BooksService } from './books.service.js'

@Controller()
@UseInterceptors(CacheInterceptor)
export class BooksController {
  constructor(
    private readonly books: BooksService,
    // What code for @nestjs/cache-manager injects is here too.
    @Inject(CACHE_MANAGER) private readonly cache: Cache,
    @InjectDiskCache() private readonly engine: FanoutCache,
  ) {}

  @Get('books')
  @CacheTags('book-list')
  @CacheTTL('1m')
  list(): Book[] {
    return this.books.list()
  }

  /** The service keeps books already. */
  @Get('books/:id')
  @CacheTTL(0)
  find(@Param('id') id: string): Promise<Book> {
    return this.books.find(id)
  }

  @Patch('books/:id')
  rename(@Param('id') id: string, @Body('title') title: string): Promise<Book> {
    return this.books.rename(id, title)
  }

  @Get('centuries')
  @Header('Cache-Control', 'public, max-age=60')
  async centuries(): Promise<Record<string, string[]>> {
    return Object.fromEntries(await this.books.byCentury())
  }

  /** Each reader has answers of their own; without @CacheAudience nothing with Authorization would be kept. */
  @Get('shelf')
  @CacheAudience(context => context.switchToHttp().getRequest().headers.authorization)
  shelf(@Req() request: { headers: Record<string, string> }): object {
    return { reader: request.headers['authorization'] ?? 'nobody', books: this.books.list() }
  }

  /** The verbs of the engine and of the cache manager, on the same entries. */
  @Get('visits')
  @CacheTTL(0)
  async visits(): Promise<object> {
    const visits = await this.engine.incr('visits')
    await this.cache.set('last-visit', { number: visits })
    return { visits, last: await this.cache.get('last-visit'), queries: this.books.queries }
  }
}
