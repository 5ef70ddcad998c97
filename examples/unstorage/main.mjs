// @ts-check
// The pages of this repository's docs, taken from a directory of files into a storage on disk with a time to live, read
// by a second process, saved as a snapshot and restored elsewhere.
// Run it: node examples/unstorage/main.mjs

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { diskDriver } from 'fanout-cache/unstorage'
import { createStorage, prefixStorage, restoreSnapshot, snapshot } from 'unstorage'
import fsLiteDriver from 'unstorage/drivers/fs-lite'

const directory = process.argv[2]
if (directory) await second(directory)
else await first()

/** Before: diskDriver was fsLiteDriver({ base: './data' }), or redisDriver({ url }). @param {string} directory */
function open(directory) {
  const storage = createStorage()
  // Nothing is evicted: these are the documents, not copies of them.
  storage.mount('docs', diskDriver(directory, { base: 'docs', evictionPolicy: 'none' }))
  storage.mount('views', diskDriver(directory, { base: 'views', ttl: '1h' }))
  return storage
}

async function first() {
  const directory = await mkdtemp(join(tmpdir(), 'fanout-cache-unstorage-'))
  const storage = open(directory)

  // The migration: all that the old driver has.
  const files = createStorage({ driver: fsLiteDriver({ base: fileURLToPath(new URL('../../docs', import.meta.url)) }) })
  const pages = await files.getItems((await files.getKeys()).filter(key => key.endsWith('.md')))
  await prefixStorage(storage, 'docs').setItems(pages)
  console.log('as many as files:', (await storage.getKeys('docs')).length === pages.length)

  const { size, mtime } = await storage.getMeta('docs:keyv.md')
  console.log('of the page:', Number(size) > 1000, mtime instanceof Date)
  await storage.setMeta('docs:keyv.md', { author: 'Ada' })

  await once(fork(new URL(import.meta.url), [directory]), 'exit')
  console.log('views, counted by the second:', await storage.getItem('views:keyv.md'))
  console.log('seconds left:', (await storage.getMeta('views:keyv.md')).ttl)

  // A snapshot is plain JSON; it can be restored into any other storage.
  const saved = JSON.parse(JSON.stringify(await snapshot(storage, 'docs')))
  await storage.clear('docs')
  console.log('cleared:', (await storage.getKeys()).join())
  await restoreSnapshot(storage, saved, 'docs')
  console.log('restored:', (await storage.getItem('docs:keyv.md')) === (await files.getItem('keyv.md')))

  await storage.dispose()
  await rm(directory, { recursive: true })
}

/** Another process sees the same documents. @param {string} directory */
async function second(directory) {
  const storage = open(directory)
  const [title] = String(await storage.getItem('docs:keyv.md')).split('\n')
  console.log('in the second:', title, (await storage.getMeta('docs:keyv.md')).author)
  await storage.setItem('views:keyv.md', 1)
  await storage.dispose()
}
