import type { DoorStore } from '../engine/for-doors.js'
import type { Core } from './core.js'
import { type HttpRequest, type HttpResponse, type Next, requestHead } from './http-message.js'
import { decode } from './lookup.js'
import { cacheKey, urlOfKey } from './policy/cache-key.js'
import { cacheStatus } from './policy/cache-status.js'
import { isSafe, urisToInvalidate } from './policy/invalidation.js'
import type { RequestHead, ResponseHead } from './policy/message.js'
import { Recorder } from './recorder.js'
import { keyOfUnsafe } from './request-key.js'
import { isVariantList } from './stored-head.js'

/** Passes a request with another method to the handler, and removes the answers it invalidates (RFC 9111 §4.4). */
export function passUnsafe(core: Core, req: HttpRequest, res: HttpResponse, next: Next): void {
  const { name } = core.settings.policy
  const request = requestHead(req)
  new Recorder(res, head => {
    if (!isSafe(request.method) && core.store.isWritable) invalidate(core, req, request, head)
    return { kind: 'pass', add: [['Cache-Status', cacheStatus({ name, fwd: 'method' })]] }
  })
  next()
}

/** Removes the answers that an exchange invalidates, without waiting for it. */
export function invalidate(core: Core, req: HttpRequest, request: RequestHead, head: ResponseHead): void {
  // Most targets of POST are never requested, and need no wait for a lock.
  const keys = keysToInvalidate(core, req, request, head).filter(key => core.store.hasTraces(key))
  if (keys.length > 0) removeKeys(core.store, keys).catch(error => core.store.tell(error))
}

/** The keys of the answers that an exchange invalidates. */
export function keysToInvalidate(core: Core, req: HttpRequest, request: RequestHead, head: ResponseHead): string[] {
  const { name } = core.settings.policy
  const own = keyOfUnsafe(req, core.settings)
  const url = 'key' in own && !core.settings.key ? urlOfKey(own.key) : request.url
  const uris = urisToInvalidate({ ...request, url }, head)
  if (uris.length === 0) return []
  const keys = new Set(uris.flatMap(uri => keyOfUri(uri, name)))
  if ('key' in own) keys.add(own.key)
  for (const key of keys) core.uncacheable.forget(key)
  return [...keys]
}

function keyOfUri(uri: string, name: string): string[] {
  const match = /^(https?):\/\/([^/]*)(\/.*)$/.exec(uri)
  if (!match) return []
  const [, scheme = '', authority = '', target = ''] = match
  const key = cacheKey({ name, scheme, authority, target })
  return 'key' in key ? [key.key] : []
}

/**
 * Removes the answers of keys with all their variants. Resolves to how many.
 *
 * @param options `stamps`: whether to prevent storing of answers whose flights are under way. Default true
 */
export async function removeKeys(
  store: DoorStore,
  keys: readonly string[],
  options: { readonly stamps: boolean } = { stamps: true },
): Promise<number> {
  const variants: string[] = []
  let removed = 0
  await store.edit(
    keys,
    (_key, current) => {
      const seen = decode(current)
      if (!seen) return undefined
      if (isVariantList(seen.head)) variants.push(...seen.head.variants.map(({ k }) => k))
      else removed++
      return 'remove'
    },
    options,
  )
  const gone = variants.length === 0 ? new Map() : await store.edit(variants, () => 'remove')
  return removed + [...gone.values()].filter(one => one === 'remove').length
}
