import { remembered } from './remembered.js'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MONTH = MONTHS.join('|')
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})'

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF_FIXDATE = new RegExp(`^(?:mon|tue|wed|thu|fri|sat|sun), (\\d{2}) (${MONTH}) (\\d{4}) ${TIME} gmt$`, 'i')
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC_850 = new RegExp(
  `^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\\d{2})-(${MONTH})-(\\d{2}) ${TIME} gmt$`,
  'i',
)
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = new RegExp(`^(?:mon|tue|wed|thu|fri|sat|sun) (${MONTH}) (\\d{2}| \\d) ${TIME} (\\d{4})$`, 'i')

/**
 * Parses an HTTP date in one of its three forms (RFC 9110 §5.6.7). Accepts no other form, even if `Date.parse` does,
 * and no time zone but GMT. Case does not matter (RFC 9111 §4.2).
 *
 * @param now epoch milliseconds: a year of two digits is at most 50 years after it. If left out, it is 1970 to 2069
 * @returns epoch milliseconds, or `undefined` if it is not a date
 */
export function parseHttpDate(text: string, now: number = Date.UTC(2019, 11, 31)): number | undefined {
  const absolute = fourDigitYear(text)
  if (absolute !== undefined) return absolute
  const rfc850 = RFC_850.exec(text)
  return rfc850 ? fullYear(rfc850, now) : undefined
}

const fourDigitYear: (text: string) => number | undefined = /* @__PURE__ */ remembered(text => {
  const imf = IMF_FIXDATE.exec(text)
  if (imf) return instant(imf[3], imf[2], imf[1], imf.slice(4, 7))
  const asctime = ASCTIME.exec(text)
  return asctime ? instant(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6)) : undefined
})

const FOUR_CENTURIES = 146_097 * 86_400_000

/** Formats an instant as IMF-fixdate, the only form that may be sent. Fractions of a second are cut off. */
export function formatHttpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString()
}

/** The latest year with these last two digits that is at most 50 years ahead. */
function fullYear(match: RegExpExecArray, now: number): number | undefined {
  const limit = new Date(now)
  limit.setUTCFullYear(limit.getUTCFullYear() + 50)
  if (Number.isNaN(limit.getTime())) return undefined
  const century = Math.floor(limit.getUTCFullYear() / 100) * 100
  const read = (year: number) => instant(String(year).padStart(4, '0'), match[2], match[1], match.slice(4, 7))
  const year = century + Number(match[3])
  const found = read(year)
  return found === undefined || found > limit.getTime() ? read(year - 100) : found
}

function instant(year = '', monthName = '', day = '', time: readonly string[]): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = time.map(Number)
  const month = MONTHS.indexOf(monthName.toLowerCase())
  // 60 is a leap second (RFC 9110 §5.6.7).
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined
  // Date.UTC reads years below 100 as 19xx; the calendar repeats after 400 years.
  const days = Date.UTC(Number(year) + 400, month, Number(day)) - FOUR_CENTURIES
  // 31 November would become 1 December.
  if (new Date(days).getUTCDate() !== Number(day)) return undefined
  return days + ((hours * 60 + minutes) * 60 + seconds) * 1000
}
