import { milliseconds, systemClock } from '../engine/for-cli.js'
import { UsageError } from './exit-codes.js'

const DECIMAL = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Formats bytes: `1.5 GiB`. */
export function bytesText(bytes: number): string {
  let unit = 0
  let size = bytes
  while (size >= 1024 && unit < BINARY.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${BINARY[unit]}`
}

/** Formats a number: `1,234,567`. */
export function countText(count: number): string {
  return count.toLocaleString('en')
}

/** Formats a part of a whole: `12.5 %`. */
export function percentText(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((part / whole) * 100).toFixed(1)} %`
}

/** Formats a duration by its two largest units: `2h 5m`. */
export function durationText(duration: number): string {
  if (!Number.isFinite(duration)) return 'never'
  if (duration < 1000) return `${Math.round(duration)}ms`
  const seconds = Math.floor(duration / 1000)
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0)
  return shown.map(([count, unit]) => `${count}${unit}`).join(' ')
}

/** Parses a size: `2GB`, `512MiB` or `1000`. Units are powers of 1000, with an `i` of 1024. @throws UsageError */
export function parseBytes(text: string, name = 'the size'): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgtp]?i?b?)\s*$/i.exec(text)
  const letter = (match?.[2] ?? '').toUpperCase().replace(/B$/, '')
  const unit = letter === '' ? 0 : DECIMAL.findIndex(known => known.startsWith(letter[0] ?? '') && known !== 'B')
  if (!match || unit < 0 || letter === 'I') {
    throw new UsageError(`${name} must be bytes or a size such as '512MiB', '2GB', got '${text}'`)
  }
  return Math.round(Number(match[1]) * (letter.endsWith('I') ? 1024 : 1000) ** unit)
}

/** Parses a duration to milliseconds: `5m`, `250ms` or `1500`. @throws UsageError */
export function parseDuration(text: string, name = 'the duration'): number {
  try {
    return milliseconds(/^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : text, name)
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
}

/** Parses a duration, or `never` to `null`. @throws UsageError */
export function parseTtl(text: string): number | null {
  return text === 'never' || text === 'none' ? null : parseDuration(text, 'the time to live')
}

/** Parses a whole number of 0 or more. @throws UsageError */
export function parseCount(text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count
  throw new UsageError(`it must be a whole number, got '${text}'`)
}

/** Formats the time until an instant: `5m`, `expired`, or `never` without one. */
export function untilText(expiresAt: number | undefined, now: number = systemClock.now()): string {
  if (expiresAt === undefined) return 'never'
  return expiresAt <= now ? 'expired' : durationText(expiresAt - now)
}
