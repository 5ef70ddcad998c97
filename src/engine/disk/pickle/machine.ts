import { DecodeError } from '../../errors.js'
import { decodeUtf8WithSurrogates } from './text.js'

/** Something that may be on the stack of a pickle but not in its result, such as a class. */
export abstract class NotData {
  abstract readonly name: string
}

/** Executes one opcode whose byte was read already. */
export type Instruction = (machine: PickleMachine) => void

export type PickleDict = Record<string, unknown> | Map<unknown, unknown>

/**
 * The input, stack, marks and memo of a pickle that is being read. Every declared length is compared with the rest of
 * the input before anything is allocated.
 */
export class PickleMachine {
  readonly #input: Buffer
  #at = 0
  #charged = 0
  readonly #stack: unknown[] = []
  readonly #marks: number[] = []
  readonly #memo = new Map<number, unknown>()
  /** Dicts in the order of their creation. */
  readonly #dicts = new Map<object, number>()
  readonly #mixed: Set<number>
  /** Number of containers so far, which bounds the nesting. */
  containers = 0

  /** @param mixed ordinals of dicts with keys that are no strings, which must be Maps; grows when such keys are met */
  constructor(input: Buffer, mixed: Set<number>) {
    this.#input = input
    this.#mixed = mixed
  }

  uint8(): number {
    return this.#input.readUInt8(this.#pass(1))
  }

  /** Little-endian. */
  uint16(): number {
    return this.#input.readUInt16LE(this.#pass(2))
  }

  uint32(): number {
    return this.#input.readUInt32LE(this.#pass(4))
  }

  int32(): number {
    return this.#input.readInt32LE(this.#pass(4))
  }

  double(): number {
    return this.#input.readDoubleBE(this.#pass(8))
  }

  /** A length of 64 bits. Above 2⁵³ it is inexact, but no input is that long. */
  length64(): number {
    return Number(this.#input.readBigUInt64LE(this.#pass(8)))
  }

  /** A view of the input. */
  bytes(length: number): Buffer {
    const from = this.#pass(length)
    return this.#input.subarray(from, from + length)
  }

  /** Reads UTF-8 of a number of bytes. */
  text(length: number): string {
    const from = this.#pass(length)
    const text = this.#input.toString('utf8', from, this.#at)
    // The replacement character shows invalid UTF-8, which may be surrogates, unless the text contains it.
    return text.includes('\ufffd') ? decodeUtf8WithSurrogates(this.#input.subarray(from, this.#at)) : text
  }

  /** Fails unless this many bytes are left. */
  demand(length: number): void {
    if (length > this.#input.length - this.#at) throw new DecodeError('a pickle is cut short')
  }

  /** Reads a line as Latin-1, without its newline. */
  line(): string {
    const end = this.#input.indexOf(0x0a, this.#at)
    if (end < 0) throw new DecodeError('a pickle is cut short')
    const text = this.#input.toString('latin1', this.#at, end)
    this.#at = end + 1
    return text
  }

  push(value: unknown): void {
    this.#stack.push(value)
  }

  top(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new DecodeError('a pickle takes more than it has put')
    return this.#stack.at(-1)
  }

  pop(): unknown {
    const top = this.top()
    this.#stack.pop()
    return top
  }

  /** Pops a value that may be in a container. */
  popData(): unknown {
    return asData(this.pop())
  }

  mark(): void {
    this.#marks.push(this.#stack.length)
  }

  /** Whether nothing lies above the last mark. */
  isAtMark(): boolean {
    return this.#marks.at(-1) === this.#stack.length
  }

  /** Pops all values above the last mark, and the mark. */
  popToMark(): unknown[] {
    const mark = this.#marks.pop()
    if (mark === undefined) throw new DecodeError('a pickle takes a mark it has not put')
    return this.#stack.splice(mark).map(asData)
  }

  memoize(index: number = this.#memo.size): void {
    this.#memo.set(index, this.top())
  }

  pushMemo(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined && !this.#memo.has(index))
      throw new DecodeError(`a pickle refers to ${index}, which it has not put`)
    this.push(value)
  }

  newDict(): PickleDict {
    const ordinal = this.#dicts.size
    const dict: PickleDict = this.#mixed.has(ordinal) ? new Map() : {}
    this.#dicts.set(dict, ordinal)
    this.containers++
    return dict
  }

  setItem(dict: unknown, key: unknown, value: unknown): void {
    const ordinal = this.#dicts.get(dict as object)
    if (ordinal === undefined) throw new DecodeError('a pickle sets an item of what is no dict')
    if (dict instanceof Map) dict.set(key, value)
    else if (typeof key === 'string') define(dict as Record<string, unknown>, key, value)
    // Other values refer to the object already, so the pickle is read once more with a Map instead.
    else this.#mixed.add(ordinal)
  }

  /**
   * Accounts for a copy that a single byte of input requests. No pickler copies a value twice, so that all copies
   * together are never larger than the input.
   */
  charge(size: number): void {
    this.#charged += size
    if (this.#charged > this.#input.length) throw new DecodeError('a pickle copies one thing again and again')
  }

  /** Skips bytes and returns where they begin. */
  #pass(length: number): number {
    this.demand(length)
    const from = this.#at
    this.#at += length
    return from
  }
}

/** The error of a class that is called with other arguments than it takes. */
export function wrongParts(name: string): DecodeError {
  return new DecodeError(`a pickle makes a ${name} of what it is not made of`)
}

function asData(value: unknown): unknown {
  if (value instanceof NotData) throw new DecodeError(`a pickle holds ${value.name}, which is no data`)
  return value
}

/** Plain assignment of `__proto__` would set the prototype. */
function define(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
}
