import { DecodeError } from '../errors.js'

/** Limit of places in the sparse arrays of one value. V8 allocates them at once, up to 32 Mi of eight bytes each. */
const MAX_PLACES = 1 << 22
/** Limit of the maximal size of the resizable buffers of one value, which V8 reserves. Bytes. */
const MAX_RESERVED = 1 << 28
/**
 * Limit of nesting. V8 writes deeper objects than it reads (measured: 3076 and 1922 levels), and the stack may be in
 * use.
 */
const MAX_DEPTH = 1000
const OLDEST_VERSION = 13

const tag = (character: string): number => character.charCodeAt(0)
const ERROR = tag('r')
const HOLE_IN_THE_LINE = 0

/**
 * Refuses bytes that make V8's reader allocate excessive memory, which ends the process (measured: ten bytes allocate
 * 256 MiB), and bytes that `v8.serialize` never writes (shared memory, WebAssembly). It walks over the tags without
 * building anything; V8 checks the rest. Format: V8's `value-serializer.cc`.
 *
 * @throws {DecodeError}
 */
export function assertHarmless(bytes: Buffer): void {
  new TagWalk(bytes).run()
}

/** The same. Returns whether there is an object without properties in it. */
export function assertHarmlessAndFindEmpty(bytes: Buffer): boolean {
  const walk = new TagWalk(bytes)
  walk.run()
  return walk.metEmpty
}

class TagWalk {
  /** Whether it has met an object without properties. */
  metEmpty = false
  readonly #bytes: Buffer
  #at = 2
  #elements = 0
  #places = 0
  #reserved = 0
  /** Opening tags of the containers around the present place. */
  readonly #open: number[] = []

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  run(): void {
    const [first, version] = this.#bytes
    if (first !== 0xff || version === undefined || version < OLDEST_VERSION) throw broken()
    do {
      // Inside an error the tags have other letters; its cause is a value among them.
      if (this.#open.at(-1) === ERROR) this.#errorTag()
      else this.#value()
    } while (this.#open.length > 0)
    if (this.#at !== this.#bytes.length) throw broken()
  }

  #value(): void {
    const code = this.#tag()
    const skip = SKIPS[code]
    if (skip === undefined) throw broken(code)
    skip(this, code)
  }

  #errorTag(): void {
    const code = this.#tag()
    if ('ERFSTU'.includes(String.fromCharCode(code))) return
    if (code === tag('m') || code === tag('s')) this.text()
    else if (code === tag('c')) this.#value()
    else if (code === tag('.')) this.#open.pop()
    else throw broken(code)
  }

  /** A string with its tag. */
  text(): void {
    const code = this.#tag()
    if (code !== tag('"') && code !== tag('c') && code !== tag('S')) throw broken(code)
    this.skip(this.varint())
  }

  #tag(): number {
    let code: number | undefined
    // Zeros align two-byte strings.
    do code = this.#bytes[this.#at++]
    while (code === HOLE_IN_THE_LINE)
    if (code === undefined) throw broken()
    return code
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw broken()
  }

  skip(length: number): void {
    this.#at += length
    if (this.#at > this.#bytes.length) throw broken()
  }

  open(code: number): void {
    if (this.#open.length >= MAX_DEPTH)
      throw new DecodeError(`a structured clone nested deeper than ${MAX_DEPTH} levels`)
    this.#open.push(code)
  }

  takeElements(count: number): void {
    // V8 allocates all elements before it reads one. Each needs at least a byte of input, and none is counted twice.
    this.#elements += count
    if (this.#elements > this.#bytes.length) throw broken()
  }

  close(opening: number): void {
    if (this.#open.pop() !== opening) throw broken()
  }

  takePlaces(count: number): void {
    this.#places += count
    if (this.#places > MAX_PLACES) throw new DecodeError(`sparse arrays of more than ${MAX_PLACES} places`)
  }

  takeReserved(length: number): void {
    this.#reserved += length
    if (this.#reserved > MAX_RESERVED) throw new DecodeError(`resizable buffers of more than ${MAX_RESERVED} bytes`)
  }
}

type Skip = (walk: TagWalk, code: number) => void

const SKIPS: (Skip | undefined)[] = new Array<Skip | undefined>(256).fill(undefined)

function define(characters: string, skip: Skip): void {
  for (const character of characters) SKIPS[tag(character)] = skip
}

// undefined, null, true, false, a hole, boxed booleans
define('_0TF-yx', () => {})
// int32, uint32, a reference to an object met before
define('IU^', walk => void walk.varint())
// double, date, boxed number
define('NDn', walk => walk.skip(8))
// strings in their three forms, ArrayBuffer
define('"cSB', walk => walk.skip(walk.varint()))
// bigint and boxed bigint: the lowest bit of the length is the sign
define('Zz', walk => walk.skip(Math.floor(walk.varint() / 2)))
define('s', walk => walk.text())
define('R', walk => {
  walk.text()
  walk.varint()
})
define('~', walk => {
  const length = walk.varint()
  walk.takeReserved(walk.varint())
  walk.skip(length)
})
// a view, as Node's serializer writes it: kind and bytes
define('\\', walk => {
  walk.varint()
  walk.skip(walk.varint())
})
// object, Map, Set, error
define("o;'r", (walk, code) => walk.open(code))
define('A', (walk, code) => {
  walk.takeElements(walk.varint())
  walk.open(code)
})
define('a', (walk, code) => {
  walk.takePlaces(walk.varint())
  walk.open(code)
})

function defineEnd(character: string, opening: string, counts: number): void {
  define(character, walk => {
    for (let count = 0; count < counts; count++) walk.varint()
    walk.close(tag(opening))
  })
}

define('{', walk => {
  if (walk.varint() === 0) walk.metEmpty = true
  walk.close(tag('o'))
})
defineEnd(':', ';', 1)
defineEnd(',', "'", 1)
defineEnd('@', 'a', 2)
defineEnd('$', 'A', 2)

function broken(code?: number): DecodeError {
  const detail = code === undefined ? 'a broken one' : `the tag ${JSON.stringify(String.fromCharCode(code))}`
  return new DecodeError(`expected a structured clone as this package writes it, got ${detail}`)
}
