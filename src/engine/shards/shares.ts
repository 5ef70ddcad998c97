import { LEAST_SIZE_LIMIT, type StoredSettings } from '../database/settings.js'

/** The share of one shard in the limits of the whole cache. The shares add up to the limits. */
export function shareOf(whole: Partial<StoredSettings>, shards: number, at: number): Partial<StoredSettings> {
  const { sizeLimit, maxItems } = whole
  return {
    ...whole,
    ...(sizeLimit === undefined ? undefined : { sizeLimit: sizeShare(sizeLimit, shards) }),
    ...(maxItems == null ? undefined : { maxItems: itemsShare(maxItems, shards, at) }),
  }
}

/** The share of a size limit. @throws RangeError when it is less than the tables of a shard need */
function sizeShare(sizeLimit: number, shards: number): number {
  const share = sizeLimit / shards
  if (share >= LEAST_SIZE_LIMIT) return share
  throw new RangeError(
    `sizeLimit must be at least ${LEAST_SIZE_LIMIT} bytes for each of ${shards} shards, got ${sizeLimit}`,
  )
}

/**
 * The share of an item limit. The remainder goes to the first shards. The least is 1, so that a written entry stays.
 */
function itemsShare(maxItems: number, shards: number, at: number): number {
  return Math.max(1, Math.floor(maxItems / shards) + (at < maxItems % shards ? 1 : 0))
}

/** The size limit of the whole cache. Fractions of bytes, as Python stores them too, do not always add up to a whole. */
export function wholeSize(shards: readonly Pick<StoredSettings, 'sizeLimit'>[]): number {
  const sum = shards.reduce((total, { sizeLimit }) => total + sizeLimit, 0)
  return Math.min(Math.round(sum), Number.MAX_SAFE_INTEGER)
}

/** The item limit of the whole cache. `null` when a shard has none. */
export function wholeItems(shards: readonly Pick<StoredSettings, 'maxItems'>[]): number | null {
  return shards.reduce<number | null>(
    (sum, { maxItems }) => (sum === null || maxItems === null ? null : sum + maxItems),
    0,
  )
}
