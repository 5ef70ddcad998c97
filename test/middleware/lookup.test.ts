import { Cache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openBody } from '../../src/middleware/lookup.js'
import { openFiles } from '../helpers/open-files.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

describe('the body of an answer that was found', () => {
  /** Stores an answer, finds it, and has it replaced or renewed before its file is opened. */
  async function opened(meanwhile: (cache: Cache) => Promise<unknown>) {
    const cache = new Cache(temporaryDirectory())
    onTestFinished(() => cache.close())
    await cache.set('key', Buffer.from('first'), { meta: { i: 'one' } })
    const { version = '' } = (await cache.info('key')) ?? {}
    await meanwhile(cache)
    const store = { openFile: (key: string) => cache.read(key) }
    const found = { key: 'key', version, head: { i: 'one' } }
    const file = await openBody(store as never, found as never)
    const text = file && String(await file.bytes())
    await file?.close()
    return { text, open: openFiles(cache.directory) }
  }

  it.each<[what: string, text: string | undefined, meanwhile: (cache: Cache) => Promise<unknown>]>([
    ['is that of the answer whose fields were renewed', 'first', cache => cache.touch('key', { meta: { i: 'one' } })],
    ['is not that of another answer', undefined, cache => cache.set('key', Buffer.from('2'), { meta: { i: 'two' } })],
    ['is none that has no name', undefined, cache => cache.set('key', Buffer.from('2'), { file: true })],
    ['is no value in the database', undefined, cache => cache.set('key', 'small')],
    ['is gone', undefined, cache => cache.delete('key')],
  ])('%s', async (_what, text, meanwhile) => {
    expect(await opened(meanwhile)).toEqual({ text, open: [] })
  })
})
