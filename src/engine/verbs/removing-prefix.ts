import type { CacheHandle } from '../cache-handle.js'
import { clearPrefix } from '../operations/removal.js'
import { type PageStep, removeInPages } from './removing.js'

/** Removes the entries whose string keys begin with `prefix`, in pages. Waits for locks without limit. */
export function removePrefix(handle: CacheHandle, prefix: string): Promise<number> {
  const step: PageStep<NonNullable<Parameters<typeof clearPrefix>[2]>> = (session, cursor) =>
    clearPrefix(session, prefix, cursor)
  return handle.ready(() => removeInPages(handle, { retry: true }, step))
}
