import type { EncodedKey } from './codec.js'
import { inProtocol } from './pickle/older-protocols.js'
import { isOfRow } from './remembered-keys.js'

/**
 * Composite keys in the form of a directory: DiskCache pickles them by the protocol that the directory was made with,
 * and finds them by their bytes. What is encoded before the directory is open has that form as soon as it is known:
 * nobody looks for it before.
 */
export class DirectoryKeys {
  readonly #directory = { protocol: 5 }

  /** @param protocol of the directory as it is now; `undefined` while it is not open */
  form(encoded: EncodedKey, protocol: number | undefined): EncodedKey {
    const { data } = encoded
    if (encoded.raw || isOfRow(encoded) || !Buffer.isBuffer(data)) return encoded
    if (protocol === undefined) return new EarlyKey(data, this.#directory)
    return { data: inProtocol(data, protocol), raw: false }
  }

  /** The directory is open. */
  settle(protocol: number): void {
    this.#directory.protocol = protocol
  }
}

/** It asks for the protocol when it is used: a list of those to be told would grow where a directory never opens. */
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
