import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { pickleCodec } from '../disk/pickle-codec.js'
import { entryOf, isLive } from '../operations/entries.js'
import { set } from '../operations/items.js'
import { storedValue } from '../verbs/open-transaction.js'

/** A pair as DiskCache's recipes store it: a total and a count, or an instant and a number of tokens. */
export type NumberPair = readonly [number, number]

/** Reads the pair under a key. @throws TypeError when something else is stored there */
export function readPair(session: Session, key: EncodedKey, now: number, what: string): NumberPair | undefined {
  const row = entryOf(session, key)
  if (!row || !isLive(row[4], now)) return undefined
  const stored = storedValue(session, row)
  return stored && toPair(stored.value, what)
}

/** @throws TypeError when it is no pair of numbers */
export function toPair(value: unknown, what: string): NumberPair {
  if (Array.isArray(value) && value.length === 2) {
    const [first, second] = value.map(toNumber)
    if (first !== undefined && second !== undefined) return [first, second]
  }
  throw somethingElse(what)
}

/** The error of a recipe that finds under its key what it would not have stored. */
export function somethingElse(what: string): TypeError {
  return new TypeError(`${what}: something else is stored under its key`)
}

/** Stores a pair in a form that Python reads. The default codec would write it as JSON, which Python does not. */
export function storePair(session: Session, key: EncodedKey, pair: NumberPair, expireTime: number | null): void {
  const { codec } = session.disk
  const { mode, data } = (codec.name === 'structured' ? pickleCodec : codec).encodeValue([...pair])
  const value = { mode, value: data, size: 0, weight: 64 }
  set(session, { key, value, now: session.disk.now(), expireTime, tag: null, tags: [] })
}

/** Integers of Python may exceed the safe range and are then read as bigint. */
function toNumber(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}
