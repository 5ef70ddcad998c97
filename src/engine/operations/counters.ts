import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import type { Session } from '../database/session.js'
import type { EncodedKey, SqlValue } from '../disk/codec.js'
import { entryOf, isLive, storeRow, updateTime } from './entries.js'

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

export interface Count {
  readonly key: EncodedKey
  readonly delta: number | bigint
  /** The number that a missing counter starts from. `null`: it is not created. */
  readonly initial: number | bigint | null
  readonly now: number
  readonly expireTime: number | null
  readonly tag: SqlValue
  readonly tags: readonly string[]
  /** The verb and the key in messages. */
  readonly verb: string
  readonly name: string
}

/**
 * Adds to a counter. A missing or expired counter starts anew; a live one keeps its expiry and tags.
 *
 * @throws TypeError when the live value is no number, or is a fraction and the delta a bigint; RangeError when the sum
 *   does not fit
 */
export function incr(session: Session, count: Count): number | bigint | undefined {
  const { disk, statements } = session
  const row = entryOf(session, count.key)
  if (!row || !isLive(row[4], count.now)) {
    if (count.initial === null) return undefined
    const sum = addNumbers(count.initial, count)
    const value = disk.prepareInline(sum)
    const state = row ? ([row[0], row[10], row[8], row[4], row[3], row[9]] as const) : undefined
    storeRow(session, { ...count, value }, state)
    return sum
  }
  const [rowid, , , , , , , , , mode, filename, data] = row
  if (filename !== null) {
    throw new TypeError(
      `${count.verb}: the value of ${count.name} is a file, and only numbers in the database can be counted`,
    )
  }
  const current = disk.decode(mode, data)
  if (typeof current !== 'number' && typeof current !== 'bigint') {
    throw new TypeError(`${count.verb}: the value of ${count.name} is not a number`)
  }
  const sum = addNumbers(current, count)
  const value = disk.prepareInline(sum)
  const { marks } = EVICTION_POLICIES[session.settings.evictionPolicy]
  const accessed = marks === 'access_time' ? count.now : null
  const accesses = marks === 'access_count' ? 1n : 0n
  statements.run('count', updateTime(session, count.now), accessed, accesses, value.mode, value.value, rowid)
  session.stored.push(count.key)
  return sum
}

/** Adds two numbers, exactly if both are whole. The result has the type of the delta. */
function addNumbers(current: number | bigint, { delta, verb, name }: Count): number | bigint {
  if (!isWhole(current) || !isWhole(delta)) {
    if (typeof delta === 'number') return Number(current) + delta
    throw new TypeError(`${verb}: ${name} is at ${current}, to which no bigint can be added: pass a number as delta`)
  }
  const sum = BigInt(current) + BigInt(delta)
  if (sum > INT64_MAX || sum < INT64_MIN) {
    throw new RangeError(`${verb}: ${name} would leave the range of 64-bit integers`)
  }
  if (typeof delta === 'bigint') return sum
  if (sum > Number.MAX_SAFE_INTEGER || sum < Number.MIN_SAFE_INTEGER) {
    throw new RangeError(`${verb}: ${name} would be ${sum}, which a number cannot hold exactly: pass a bigint as delta`)
  }
  return Number(sum)
}

function isWhole(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}
