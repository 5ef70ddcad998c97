import type { SqlValue } from '../disk/codec.js'
import { encodeKey } from '../disk/keys.js'
import type { Key } from '../options.js'

interface Sortable {
  readonly key: Key
  /** The rank of the type in SQLite's order: numbers, text, bytes. */
  readonly kind: number
  readonly data: bigint | number | Buffer
  readonly raw: boolean
}

/** Sorts keys in SQLite's order: numbers by value, then text, then bytes, both byte by byte. */
export function inStoredOrder(keys: readonly Key[]): Key[] {
  return keys
    .map(toSortable)
    .sort(compare)
    .map(({ key }) => key)
}

function toSortable(key: Key): Sortable {
  const { data, raw } = encodeKey(key)
  return { key, raw, ...sortableData(data) }
}

function sortableData(data: SqlValue): Pick<Sortable, 'kind' | 'data'> {
  if (typeof data === 'number' || typeof data === 'bigint') return { kind: 0, data }
  if (typeof data === 'string') return { kind: 1, data: Buffer.from(data) }
  return { kind: 2, data: data ?? Buffer.alloc(0) }
}

function compare(one: Sortable, other: Sortable): number {
  if (one.kind !== other.kind) return one.kind - other.kind
  const order =
    one.kind === 0 ? Number(one.data > other.data) - Number(one.data < other.data) : bytesOrder(one.data, other.data)
  return order === 0 ? Number(one.raw) - Number(other.raw) : order
}

function bytesOrder(one: Sortable['data'], other: Sortable['data']): number {
  return Buffer.compare(one as Buffer, other as Buffer)
}
