// Calls the handlers of examples/nextjs as a process of Next.js does: a classic one for each request, one for `use cache`.
// A line on stdin is a call, in base64 of `node:v8`; a line on stdout is what it answered.
import { AsyncLocalStorage } from 'node:async_hooks'
import { createInterface } from 'node:readline'
import { deserialize, serialize } from 'node:v8'

const request = new AsyncLocalStorage()
const now = Date.now
let ahead = 0
/** Reads of the time that belong to a request, for which Next.js 16 ends a prerender. */
let timesOfRequests = 0
Date.now = () => {
  if (request.getStore()) timesOfRequests++
  return now() + ahead
}

const { default: CacheHandler } = await import('../../examples/nextjs/cache-handler.mjs')
const { default: useCache } = await import('../../examples/nextjs/use-cache-handler.mjs')
/** Those of the requests that are under way. */
const handlers = new Map()
/** What ends the values of `use cache` that are still being written. */
const endings = new Map()

const CALLS = {
  get: ({ name, key, context }) => classic(name).get(key, context),
  set: ({ name, key, value, context }) => classic(name).set(key, value, context),
  revalidateTag: ({ tags, durations }) => classic().revalidateTag(tags, durations),
  setEntry: ({ key, entry }) => useCache.set(key, Promise.resolve(withStream(entry))),
  /** An entry whose value is ended by a later call. */
  beginEntry: ({ key, entry }) => {
    const value = new ReadableStream({ start: controller => void endings.set(key, { controller, ...entry }) })
    endings.get(key).stored = useCache.set(key, Promise.resolve({ ...entry, value }))
  },
  endEntry: ({ key, failure }) => {
    const { controller, bytes, stored } = endings.get(key)
    controller.enqueue(bytes)
    if (failure) controller.error(new Error(failure))
    else controller.close()
    return stored
  },
  getEntry: async ({ key, softTags = [] }) => {
    const entry = await useCache.get(key, softTags)
    return entry && { ...entry, value: Buffer.from(await new Response(entry.value).arrayBuffer()) }
  },
  refreshTags: () => useCache.refreshTags(),
  getExpiration: ({ tags }) => useCache.getExpiration(tags),
  updateTags: ({ tags, durations }) => useCache.updateTags(tags, durations),
  advance: ({ milliseconds }) => {
    ahead += milliseconds
  },
  /** The clock by which Next.js dates entries of `use cache`. */
  timestamp: () => performance.timeOrigin + performance.now(),
  timesOfRequests: () => timesOfRequests,
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, call, args } = deserialize(Buffer.from(line, 'base64'))
  void request.run({}, async () => {
    const answer = await Promise.resolve(CALLS[call](args)).then(
      value => ({ value }),
      error => ({ error: String(error) }),
    )
    process.stdout.write(`${id} ${serialize(answer).toString('base64')}\n`)
  })
}
process.exit()

/** The handler of a request; a new one for a request without a name. */
function classic(name) {
  const handler = handlers.get(name) ?? new CacheHandler({ serverDistDir: process.env.SERVER_DIST_DIR })
  if (name !== undefined) handlers.set(name, handler)
  return handler
}

function withStream({ bytes, ...fields }) {
  return { ...fields, value: new Blob([bytes]).stream() }
}
