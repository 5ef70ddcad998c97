const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MONTH = MONTHS.join('|')
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})'

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF_FIXDATE = new RegExp(
  `^(?:mon|tue|wed|thu|fri|sat|sun), (\\d{2}) (${MONTH}) (\\d{4}) ${TIME} (?:gmt|utc)$`,
  'i',
)
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC_850 = new RegExp(
  `^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\\d{2})-(${MONTH})-(\\d{2}) ${TIME} (?:gmt|utc)$`,
  'i',
)
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = new RegExp(`^(?:mon|tue|wed|thu|fri|sat|sun) (${MONTH}) (\\d{2}| \\d) ${TIME} (\\d{4})$`, 'i')

/**
 * Epoch milliseconds of an HTTP date in one of its three forms (RFC 9110 §5.6.7), or `undefined`. Nothing else is a
 * date, however well `Date.parse` knows what to make of it. Case does not matter and UTC means GMT (RFC 9111 §4.2);
 * no other zone counts.
 *
 * @param now epoch milliseconds: two digits of a year mean one that is at most 50 years ahead of it
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  const imf = IMF_FIXDATE.exec(text)
  if (imf) return instant(imf[3], imf[2], imf[1], imf.slice(4, 7))
  const rfc850 = RFC_850.exec(text)
  if (rfc850) return fullYear(rfc850, now)
  const asctime = ASCTIME.exec(text)
  if (asctime) return instant(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6))
  return undefined
}

/** An instant as IMF-fixdate, the form that is to be sent. Parts of a second are cut off. */
export function formatHttpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString()
}

/** The year with these last two digits that is nearest to being 50 years ahead, and not more. */
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
  const date = new Date(0)
  date.setUTCFullYear(Number(year), month, Number(day))
  // 31 November would become 1 December.
  if (date.getUTCMonth() !== month || date.getUTCDate() !== Number(day)) return undefined
  return date.setUTCHours(hours, minutes, seconds)
}
