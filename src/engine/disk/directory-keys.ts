import type { EncodedKey } from './codec.js'
import { inProtocol } from './pickle/older-protocols.js'
import { isOfRow } from './remembered-keys.js'

/**
 * Composite keys in the form of a directory: DiskCache pickles them by the protocol that the directory was made with,
 * and finds them by their bytes. What is encoded before the directory is open gets that form when it is known, in place:
 * nobody has looked for it yet.
 */
export class DirectoryKeys {
  readonly #early: { data: EncodedKey['data'] }[] = []

  /** @param protocol of the directory as it is now; `undefined` while it is not open */
  form(encoded: EncodedKey, protocol: number | undefined): EncodedKey {
    if (encoded.raw || isOfRow(encoded) || !Buffer.isBuffer(encoded.data)) return encoded
    if (protocol !== undefined) return { data: inProtocol(encoded.data, protocol), raw: false }
    const early = { data: encoded.data, raw: false }
    this.#early.push(early)
    return early
  }

  /** The directory is open. */
  settle(protocol: number): void {
    for (const key of this.#early.splice(0)) if (Buffer.isBuffer(key.data)) key.data = inProtocol(key.data, protocol)
  }
}
