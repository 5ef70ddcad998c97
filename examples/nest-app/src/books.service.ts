import { Injectable, NotFoundException } from '@nestjs/common'
import { Cacheable, CacheEvict } from 'fanout-cache/nest'

export interface Book {
  readonly id: string
  readonly title: string
  readonly year: number
}

/** Stands for a database: it counts how often it was asked. */
@Injectable()
export class BooksService {
  queries = 0
  readonly #books = new Map<string, Book>([
    ['1', { id: '1', title: 'Sketch of the Analytical Engine', year: 1843 }],
    ['2', { id: '2', title: 'On Computable Numbers', year: 1936 }],
  ])

  list(): Book[] {
    this.queries++
    return [...this.#books.values()]
  }

  /** A hundred requests for one book, in however many processes, are one query. */
  @Cacheable({ key: (id: string) => `book:${id}`, tags: ['books'] })
  async find(id: string): Promise<Book> {
    this.queries++
    const book = this.#books.get(id)
    if (!book) throw new NotFoundException(`no book ${id}`)
    return book
  }

  /** Values of all kinds come back as they were. */
  @Cacheable({ cache: 'reports', ttl: '1h', staleFor: '1d' })
  async byCentury(): Promise<Map<number, string[]>> {
    this.queries++
    const centuries = new Map<number, string[]>()
    for (const { title, year } of this.#books.values()) {
      const century = Math.ceil(year / 100)
      centuries.set(century, [...(centuries.get(century) ?? []), title])
    }
    return centuries
  }

  @CacheEvict({ key: (id: string) => `book:${id}`, tags: ['book-list'] })
  async rename(id: string, title: string): Promise<Book> {
    const book = this.#books.get(id)
    if (!book) throw new NotFoundException(`no book ${id}`)
    const renamed = { ...book, title }
    this.#books.set(id, renamed)
    return renamed
  }
}
