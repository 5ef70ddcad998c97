import { keepShape } from '../../kept-shapes.js'
import { formatPath, isPlainObject, notStorable } from '../describe.js'
import { OP } from './opcodes.js'
import { PickleOutput, type ScalarOutput } from './output.js'
import { writeDictBatches, writeScalar, writeTuple } from './primitives.js'

const MAX_DEPTH = 100
/** Limit of the size of a key. Nested objects with shared parts grow exponentially when they are written by value. */
const MAX_BYTES = 1 << 24
/** Matches names whose order by UTF-16 units is that by characters. */
const BASIC = /^[^\ud800-\udfff]*$/

const KEY_KINDS =
  'a string, a number other than NaN, a bigint, bytes, null, a boolean, or an array or plain object of these'

/**
 * The canonical pickle of a composite key: the output of `pickletools.optimize(pickle.dumps(key, 5))` with tuples for
 * arrays and dicts with sorted keys for objects. Equal keys give equal bytes, because no part is written as a reference
 * to an equal part.
 *
 * @throws {TypeError} that names what cannot be part of a key
 */
export function writeKeyPickle(key: unknown): Buffer {
  const out = new PickleOutput(MAX_BYTES)
  writeKey(out, key)
  return out.finish()
}

/** Writes a key to an output of any protocol. @throws {TypeError} as `writeKeyPickle` does */
export function writeKey(out: ScalarOutput, key: unknown): void {
  new KeyWriter(out).write(key)
}

class KeyWriter {
  readonly #out: ScalarOutput
  readonly #path: (string | number)[] = []

  constructor(out: ScalarOutput) {
    this.#out = out
  }

  write(key: unknown): void {
    if (typeof key === 'string' && !key.isWellFormed()) throw this.#refuse(key)
    if (Number.isNaN(key)) throw this.#refuse(key)
    if (writeScalar(this.#out, key)) return
    if (typeof key !== 'object' || key === null) throw this.#refuse(key)
    if (Array.isArray(key)) writeTuple(this.#out, key.length, at => this.#writePart(at, key[at]))
    else if (isPlainObject(key)) this.#writeObject(key)
    else throw this.#refuse(key)
  }

  #writeObject(object: Record<string, unknown>): void {
    const names = sortedNames(object)
    this.#out.op(OP.emptyDict)
    writeDictBatches(this.#out, names.length, at => {
      const name = names[at] as string
      this.#writePart(name, name)
      this.#writePart(name, object[name])
    })
  }

  #writePart(step: string | number, part: unknown): void {
    this.#path.push(step)
    if (this.#path.length > MAX_DEPTH) throw new TypeError('key is nested too deeply, or holds itself')
    this.write(part)
    this.#path.pop()
  }

  #refuse(value: unknown): TypeError {
    return notStorable(value, { where: formatPath('key', this.#path), expected: KEY_KINDS })
  }
}

keepShape(new KeyWriter(new PickleOutput(0)))

/** Sorts names in Python's order, which differs from JavaScript's for characters beyond the first 65536. */
function sortedNames(object: object): string[] {
  const names = Object.keys(object)
  if (names.every(name => BASIC.test(name))) return names.sort()
  return names.sort((a, b) => Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8')))
}
