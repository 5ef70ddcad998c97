import { writeKey } from './key-writer.js'
import { NoPlainForm, OlderOutput } from './older-output.js'
import { OP } from './opcodes.js'
import { PROTOCOL } from './output.js'
import { readPickle } from './reader.js'

/**
 * Converts the canonical pickle of a key to another protocol, as `pickletools.optimize(pickle.dumps(key, protocol))`
 * writes it, for directories whose `disk_pickle_protocol` is not 5. Those of Python before 3.8 have 4. Protocol 0, and
 * keys with bytes below protocol 3, stay unchanged, because they would call functions.
 *
 * @param pickle a pickle of protocol 5, from `writeKeyPickle`
 */
export function inProtocol(pickle: Buffer, protocol: number): Buffer {
  if (protocol === PROTOCOL || pickle[0] !== OP.proto || pickle[1] !== PROTOCOL) return pickle
  if (protocol === 4) {
    const copy = Buffer.from(pickle)
    copy[1] = protocol
    return copy
  }
  if (protocol !== 1 && protocol !== 2 && protocol !== 3) return pickle
  const out = new OlderOutput(protocol)
  try {
    writeKey(out, readPickle(pickle))
    return out.finish()
  } catch (error) {
    if (error instanceof NoPlainForm) return pickle
    throw error
  }
}
