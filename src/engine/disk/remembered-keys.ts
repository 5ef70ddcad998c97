import type { Key } from '../options.js'
import type { EncodedKey } from './codec.js'

const ofRows = new WeakSet<EncodedKey>()

/** Whether a key was read from a row and stands for that row, even if other bytes would be an equal key. */
export function isOfRow(encoded: EncodedKey): boolean {
  return ofRows.has(encoded)
}

/**
 * The composite keys that were read from rows, with their stored form. Python writes keys that are equal here in
 * several forms (list and tuple, shared and repeated parts), and a key from iteration must find its own row.
 */
export class RememberedKeys {
  readonly #encoded = new WeakMap<object, EncodedKey>()

  get(key: object): EncodedKey | undefined {
    return this.#encoded.get(key)
  }

  /**
   * Returns the value as a key, deep-frozen, because a changed key would still find its row. A value that cannot be a
   * key becomes `{ $unreadable: <hex of the bytes> }`, and that object finds its row too.
   */
  remember(value: unknown, encoded: EncodedKey): Key {
    const key = isComposite(value) && freeze(value) ? value : unreadable(encoded)
    this.#encoded.set(key as object, encoded)
    ofRows.add(encoded)
    return key
  }
}

function unreadable({ data }: EncodedKey): Key {
  return Object.freeze({ $unreadable: Buffer.isBuffer(data) ? data.toString('hex') : String(data) })
}

function isComposite(value: unknown): value is Key & object {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value)
}

/** Freezes a value deeply, except bytes. Returns `false` when it contains a Map or Set. */
function freeze(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return true
  if (value instanceof Map || value instanceof Set) return false
  if (Object.isFrozen(value)) return true
  Object.freeze(value)
  return Object.values(value).every(freeze)
}
