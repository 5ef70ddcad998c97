import type { CacheHandle } from '../cache-handle.js'
import { clearPrefix } from '../operations/removal.js'
import { type PageStep, removeInPages } from './upkeep.js'

/** Removes the entries whose keys are strings that begin so, in pages; waits for locks as long as it takes. */
export function removePrefix(handle: CacheHandle, prefix: string): Promise<number> {
  const step: PageStep<NonNullable<Parameters<typeof clearPrefix>[2]>> = (session, cursor) =>
    clearPrefix(session, prefix, cursor)
  return handle.ready(() => removeInPages(handle, { retry: true }, step))
}
