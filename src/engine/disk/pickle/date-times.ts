import { wrongParts } from './machine.js'

const SECONDS_PER_DAY = 86_400
const OFFSET = /^[+-]\d\d:\d\d(:\d\d)?$/

/** `datetime.timezone` → how far it is ahead of UTC: '+01:00', '-05:30', '+01:01:01'. */
export function offsetText(args: readonly unknown[]): string {
  const [seconds] = args
  if (typeof seconds !== 'number' || !(Math.abs(seconds) < SECONDS_PER_DAY)) throw wrongParts('timezone')
  const whole = Math.trunc(Math.abs(seconds))
  const parts = [Math.trunc(whole / 3600), Math.trunc(whole / 60) % 60]
  if (whole % 60 !== 0) parts.push(whole % 60)
  return (seconds < 0 ? '-' : '+') + parts.map(part => digits(part, 2)).join(':')
}

/** `datetime.date` → '2024-01-31'. */
export function dateText(args: readonly unknown[]): string {
  return dateOf(stateOf(args, 4, 'date'))
}

/** `datetime.time` → '12:30:00', '12:30:00.000001+01:00'. */
export function timeText(args: readonly unknown[]): string {
  return timeOf(stateOf(args, 6, 'time')) + offsetOf(args)
}

/** `datetime.datetime` → '2024-01-31T12:30:00', with '+00:00' only when Python knew the offset. */
export function datetimeText(args: readonly unknown[]): string {
  const state = stateOf(args, 10, 'datetime')
  return `${dateOf(state)}T${timeOf(state.subarray(4))}${offsetOf(args)}`
}

/** `datetime.timedelta` → seconds. */
export function secondsOf(args: readonly unknown[]): number {
  const [days = 0, seconds = 0, microseconds = 0] = args
  if (typeof days !== 'number' || typeof seconds !== 'number' || typeof microseconds !== 'number') {
    throw wrongParts('timedelta')
  }
  return days * SECONDS_PER_DAY + seconds + microseconds / 1e6
}

/** The bytes in which these classes store their fields. They are Latin-1 text when Python 2 wrote them. */
function stateOf(args: readonly unknown[], length: number, name: string): Buffer {
  const [state] = args
  if (!Buffer.isBuffer(state) || state.length !== length) throw wrongParts(name)
  return state
}

function dateOf(state: Buffer): string {
  // The highest bit of the month is `fold`, which selects one of two equal hours when clocks are set back.
  return `${digits(state.readUInt16BE(0), 4)}-${digits((state[2] as number) & 0x7f, 2)}-${digits(state[3], 2)}`
}

function timeOf(state: Buffer): string {
  const microseconds = state.readUIntBE(3, 3)
  const clock = `${digits((state[0] as number) & 0x7f, 2)}:${digits(state[1], 2)}:${digits(state[2], 2)}`
  return microseconds === 0 ? clock : `${clock}.${digits(microseconds, 6)}`
}

function offsetOf(args: readonly unknown[]): string {
  const [, zone] = args
  if (zone === undefined || zone === null) return ''
  if (typeof zone !== 'string' || !OFFSET.test(zone)) throw wrongParts('datetime')
  return zone
}

function digits(value: number | undefined, length: number): string {
  return String(value).padStart(length, '0')
}
