import type { Session } from '../database/session.js'
import {
  chosenRows,
  isChosen,
  isListed,
  type KeyRow,
  lastRow,
  pages,
  rowidsByPrefix,
  rowidsByTag,
} from '../operations/listing.js'
import { hidesPrefixes, type ResolvedListing, startsWith } from './listing-options.js'

/** Lists rows synchronously in stored order, including those that the transaction has written. */
export function* listRows(sessions: readonly Session[], listing: ResolvedListing): Generator<[Session, KeyRow]> {
  const { tag, reverse, includeExpired } = listing
  for (const session of reverse ? [...sessions].reverse() : sessions) {
    const tagged = tag === undefined ? undefined : gather(rowidsByTag(session, tag))
    for (const row of rowsOf(session, listing)) {
      if (tagged && !(tagged.has(row[0]) && isChosen(session, row, { prefix: undefined, tag }))) continue
      if (row[1] !== null && isListed(row, session.disk.now(), includeExpired)) yield [session, row]
    }
  }
}

function* rowsOf(session: Session, { prefix, reverse }: ResolvedListing): Generator<KeyRow> {
  if (prefix === undefined || hidesPrefixes(session)) {
    for (const page of pages(session, lastRow(session), { reverse })) {
      for (const row of page) if (prefix === undefined || startsWith(session, row, prefix)) yield row
    }
    return
  }
  const rowids = Array.from(gather(rowidsByPrefix(session, prefix))).sort((a, b) => (reverse ? b - a : a - b))
  for (const rowid of rowids) yield* chosenRows(session, [rowid], { prefix, tag: undefined })
}

function gather(pagesOfRowids: Iterable<number[]>): Set<number> {
  const rowids = new Set<number>()
  for (const page of pagesOfRowids) for (const rowid of page) rowids.add(rowid)
  return rowids
}
