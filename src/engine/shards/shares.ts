import { LEAST_SIZE_LIMIT, type StoredSettings } from '../database/settings.js'

/** The share that each shard has of limits for the whole cache: all shares together are the limit. */
export function shareOf(whole: Partial<StoredSettings>, shards: number, at: number): Partial<StoredSettings> {
  const { sizeLimit, maxItems } = whole
  return {
    ...whole,
    ...(sizeLimit === undefined ? undefined : { sizeLimit: sizeShare(sizeLimit, shards) }),
    ...(maxItems == null ? undefined : { maxItems: itemsShare(maxItems, shards, at) }),
  }
}

/** @throws RangeError when a shard would have less room than its tables need */
function sizeShare(sizeLimit: number, shards: number): number {
  const share = sizeLimit / shards
  if (share >= LEAST_SIZE_LIMIT) return share
  throw new RangeError(
    `sizeLimit must be at least ${LEAST_SIZE_LIMIT} bytes for each of ${shards} shards, got ${sizeLimit}`,
  )
}

/** What cannot be divided goes to the first shards. None is without an item: what was just written stays. */
function itemsShare(maxItems: number, shards: number, at: number): number {
  return Math.max(1, Math.floor(maxItems / shards) + (at < maxItems % shards ? 1 : 0))
}

/** The limit of the whole cache; `null` when a shard has none. */
export function wholeItems(shards: readonly Pick<StoredSettings, 'maxItems'>[]): number | null {
  return shards.reduce<number | null>(
    (sum, { maxItems }) => (sum === null || maxItems === null ? null : sum + maxItems),
    0,
  )
}
