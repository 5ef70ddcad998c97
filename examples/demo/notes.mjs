import { count } from './format.mjs'

/** What a button has done, in words: `number` is how many entries that were. */
const NOTES = {
  purged: (number, what) => `Purged${of(what)}: ${number ? `${entries(number)} removed` : 'there was no such entry'}.`,
  staled: (number, what) =>
    number
      ? `Marked${of(what)} as stale: ${answers(number)}. Who asks next gets the old one at once; a new one is made behind it.`
      : `Marked${of(what)} as stale: there was no such answer.`,
  deleted: (number, what) => `Deleted${of(what)}: ${number ? '1 entry removed' : 'it was gone already'}.`,
  cleared: number => `Cleared: ${entries(number)} removed.`,
  killed: number =>
    number ? 'kill -9 was sent to the other worker; a new one is starting.' : 'No other worker is up.',
}

/** @returns a sentence; `undefined` for what no button does */
export function said(done, number, what) {
  return Object.hasOwn(NOTES, String(done)) ? NOTES[done](number, what) : undefined
}

function of(what) {
  return what ? ` ${what}` : ''
}

function entries(number) {
  return `${count(number)} ${number === 1 ? 'entry' : 'entries'}`
}

function answers(number) {
  return `${count(number)} ${number === 1 ? 'answer' : 'answers'}`
}
