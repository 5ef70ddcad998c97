import type { EncodedKey } from './codec.js'
import { inProtocol } from './pickle/older-protocols.js'
import { isOfRow } from './remembered-keys.js'

/**
 * Gives composite keys the form of a directory: DiskCache pickles keys with the protocol of the directory and finds
 * them by their bytes. Keys that are encoded before the directory is open get that form as soon as the protocol is
 * known, which is before anybody uses them.
 */
export class DirectoryKeys {
  readonly #directory = { protocol: 5 }

  /** @param protocol the pickle protocol of the directory; `undefined` while it is not open */
  form(encoded: EncodedKey, protocol: number | undefined): EncodedKey {
    const { data } = encoded
    if (encoded.raw || isOfRow(encoded) || !Buffer.isBuffer(data)) return encoded
    if (protocol === undefined) return new EarlyKey(data, this.#directory)
    return { data: inProtocol(data, protocol), raw: false }
  }

  /** Called when the directory is open. */
  settle(protocol: number): void {
    this.#directory.protocol = protocol
  }
}

/**
 * A key that asks for the protocol when it is used. A list of keys to update would grow while a directory never opens.
 */
class EarlyKey implements EncodedKey {
  readonly raw = false
  readonly #own: Buffer
  readonly #directory: { readonly protocol: number }

  constructor(own: Buffer, directory: { readonly protocol: number }) {
    this.#own = own
    this.#directory = directory
  }

  get data(): Buffer {
    return inProtocol(this.#own, this.#directory.protocol)
  }
}
