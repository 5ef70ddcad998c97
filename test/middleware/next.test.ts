import type { IncomingMessage, ServerResponse } from 'node:http'
import { Cache } from 'fanout-cache'
import { responseCache, sendFile } from 'fanout-cache/express'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

type Handle = (request: IncomingMessage, response: ServerResponse, next?: unknown) => unknown

// Left out in a plain server, it would be missed by the first request that is not answered by the middleware itself.
it.each([
  ['responseCache', (cache: Cache) => responseCache(cache)],
  ['sendFile', (cache: Cache) => sendFile(cache, { key: () => 'key' })],
] as const)('%s refuses a request at once when no next handler is given', (name, make) => {
  const handle = make(new Cache(temporaryDirectory())) as unknown as Handle
  const [request, response] = [{ method: 'GET', headers: {} } as IncomingMessage, {} as ServerResponse]
  for (const next of [undefined, {}]) {
    expect(() => handle(request, response, next)).toThrow(
      new RegExp(`^${name}: the third argument must be a function that answers what is left to it, got `),
    )
  }
})
