import type { Key } from '../options.js'
import type { EncodedKey } from './codec.js'

const ofRows = new WeakSet<EncodedKey>()

/** Whether a key came out of a row and stands for that one, also where other bytes would be the same key. */
export function isOfRow(encoded: EncodedKey): boolean {
  return ofRows.has(encoded)
}

/**
 * The composite keys that came out of rows, with what their rows hold. Python writes many forms of what is one key to
 * us (list and tuple, parts that are one object or two), and a key that came out of iteration must find its own row.
 */
export class RememberedKeys {
  readonly #encoded = new WeakMap<object, EncodedKey>()

  get(key: object): EncodedKey | undefined {
    return this.#encoded.get(key)
  }

  /**
   * The value as a key, deep-frozen: were it changed, it would still find the row it came from. What cannot be a key
   * by its type comes back as `{ $unreadable: <hex of the bytes> }`. That very object finds its row too.
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

/** False when there is a Map or Set in it. Bytes cannot be frozen. */
function freeze(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return true
  if (value instanceof Map || value instanceof Set) return false
  if (Object.isFrozen(value)) return true
  Object.freeze(value)
  return Object.values(value).every(freeze)
}
