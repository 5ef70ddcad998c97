import { setTimeout } from '../timers.js'

/** Smaller copies are cheap anyway. */
const LEAST = 2 ** 16
/** Limit of bytes that are kept for the next copies. */
const MOST_FREE = 2 ** 23
/** Sizes are rounded up to multiples of this. */
const STEP = 2 ** 16
/** Kept memory is released when nothing was copied for as long. Milliseconds. */
const IDLE = 5000

const lent = new WeakSet<ArrayBufferLike>()
let free: ArrayBufferLike[] = []
let freeBytes = 0
let timer: NodeJS.Timeout | undefined

/*
 * Memory for the copies of values on their way to a file. New memory for each costs more than the copying: the system
 * maps its pages one by one, and what becomes garbage outside of the heap makes V8 collect all of the heap.
 */

/** Copies bytes. Whoever is the only one to have the copy may `giveBack` it. */
export function copyBytes(bytes: Uint8Array): Buffer {
  if (!isPooled(bytes.byteLength)) return Buffer.from(bytes)
  const copy = borrow(bytes.byteLength)
  copy.set(bytes)
  return copy
}

/** Copies a text as UTF-8, as `copyBytes` does. */
export function copyText(text: string): Buffer {
  const size = Buffer.byteLength(text)
  if (!isPooled(size)) return Buffer.from(text)
  const copy = borrow(size)
  copy.write(text)
  return copy
}

/** Makes the memory of a copy available for others. Nobody may use the copy any more. Other bytes are left alone. */
export function giveBack({ buffer }: Uint8Array): void {
  if (!lent.delete(buffer) || freeBytes + buffer.byteLength > MOST_FREE) return
  free.push(buffer)
  freeBytes += buffer.byteLength
  timer ??= setTimeout(release, IDLE).unref()
  timer.refresh()
}

/** Copies bytes into memory of their own. `Buffer.from` would take small ones from Node's pool. */
export function ownBytes(bytes: Uint8Array): Buffer {
  return Buffer.from(new Uint8Array(bytes).buffer)
}

function isPooled(size: number): boolean {
  return size >= LEAST && size <= MOST_FREE / 2
}

function borrow(size: number): Buffer {
  // The last first: its pages are in the caches of the processor.
  const at = free.findLastIndex(({ byteLength }) => byteLength >= size && byteLength <= 2 * size)
  const [known] = at < 0 ? [] : free.splice(at, 1)
  if (known) freeBytes -= known.byteLength
  const buffer = known ?? Buffer.allocUnsafeSlow(Math.ceil(size / STEP) * STEP).buffer
  lent.add(buffer)
  return Buffer.from(buffer, 0, size)
}

function release(): void {
  free = []
  freeBytes = 0
  timer = undefined
}
