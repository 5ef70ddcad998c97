import { Deque } from 'fanout-cache'

// Keys of pages are their paths; these two cannot be one.
const FOUND = ['count', 'found']
const DONE = ['count', 'done']

/** How many pages were found, and how many of them are done. */
export async function progress(cache) {
  const [found = 0, done = 0] = await cache.getMany([FOUND, DONE])
  return { found, done }
}

/** Puts those pages into the queue that nobody has found before: in the map and in the queue, or in neither. */
export async function discover(cache, pages) {
  await cache.transact(tx => {
    for (const page of pages) {
      if (!tx.add(page, { tries: 0 })) continue
      tx.push(page)
      tx.incr(FOUND)
    }
  })
}

/** Takes pages until all that were found are done. `visit` answers what a page says and where it leads. */
export async function crawl(cache, visit, { lease, pause }) {
  const queue = Deque.from(cache)
  for (;;) {
    const page = await queue.take({ lease })
    if (!page) {
      const { found, done } = await progress(cache)
      if (found === done) return
      // The rest is with others. If one of them dies, its page comes back when its lease has ended.
      await pause()
      continue
    }
    await begin(cache, page.value)
    const { links, ...result } = await visit(page.value)
    await discover(cache, links)
    await finish(cache, page.value, result)
    // Killed before this line, the page is taken once more: finish() counts it once.
    await page.done()
  }
}

async function begin(cache, page) {
  await cache.transact(tx => {
    const known = tx.get(page)
    if (!known.by) tx.set(page, { ...known, tries: known.tries + 1 })
  })
}

async function finish(cache, page, result) {
  await cache.transact(tx => {
    const known = tx.get(page)
    if (known.by) return
    tx.set(page, { ...known, ...result })
    tx.incr(DONE)
  })
}
