import type { Cache } from 'fanout-cache'
import { describe } from 'vitest'
import { bulkSuite } from './bulk.js'
import { countersSuite } from './counters.js'
import { descriptionsSuite } from './descriptions.js'
import { getOrSetSuite } from './get-or-set.js'
import { getOrSetFlightsSuite } from './get-or-set-flights.js'
import { getOrSetFreshnessSuite } from './get-or-set-freshness.js'
import { getOrSetMisuseSuite } from './get-or-set-misuse.js'
import { getOrSetStoringSuite } from './get-or-set-storing.js'
import { itemsSuite } from './items.js'
import { keysSuite } from './keys.js'
import { lifecycleSuite } from './lifecycle.js'
import { listingSuite } from './listing.js'
import { maintenanceSuite } from './maintenance.js'
import { orderingSuite } from './ordering.js'
import { queueSuite } from './queue.js'
import { settingsSuite } from './settings.js'
import { sortedKeysSuite } from './sorted-keys.js'
import { streamsAndFilesSuite } from './streams-and-files.js'
import type { Subject } from './subjects.js'
import { tagsSuite } from './tags.js'
import { transactSuite } from './transact.js'
import { ttlSuite } from './ttl.js'
import { valuesSuite } from './values.js'

const SUITES: readonly ((subject: Subject) => void)[] = [
  itemsSuite,
  descriptionsSuite,
  countersSuite,
  ttlSuite,
  tagsSuite,
  listingSuite,
  bulkSuite,
  streamsAndFilesSuite,
  transactSuite,
  orderingSuite,
  keysSuite,
  valuesSuite,
  maintenanceSuite,
  settingsSuite,
  lifecycleSuite,
  getOrSetSuite,
  getOrSetStoringSuite,
  getOrSetFreshnessSuite,
  getOrSetFlightsSuite,
  getOrSetMisuseSuite,
]

/** What depends on how keys and values are written. */
const ENCODING: readonly ((subject: Subject) => void)[] = [
  itemsSuite,
  countersSuite,
  listingSuite,
  bulkSuite,
  streamsAndFilesSuite,
  transactSuite,
  keysSuite,
  valuesSuite,
  getOrSetStoringSuite,
]

/** What depends on it where a key, as it is written, chooses a shard. */
const ENCODING_IN_SHARDS: readonly ((subject: Subject) => void)[] = [itemsSuite, listingSuite, bulkSuite, keysSuite]

/** What memory in front of the database might answer in its place. */
const READING: readonly ((subject: Subject) => void)[] = [
  itemsSuite,
  countersSuite,
  ttlSuite,
  tagsSuite,
  bulkSuite,
  transactSuite,
  orderingSuite,
  keysSuite,
  valuesSuite,
  getOrSetSuite,
  getOrSetFreshnessSuite,
  lifecycleSuite,
]

/** Where it might answer under another key, or from another shard. */
const READING_KEYS: readonly ((subject: Subject) => void)[] = [itemsSuite, ttlSuite, bulkSuite, keysSuite]

/** What every implementation of `DiskCache` does. One is done when this passes. */
export function cacheContract(subject: Subject): void {
  describe(subject.name, () => {
    for (const suite of SUITES) suite(subject)
  })
}

/** The part of it that another codec could break, where all of it passes under one. */
export function codecContract(subject: Subject): void {
  describe(subject.name, () => {
    for (const suite of subject.single ? ENCODING : ENCODING_IN_SHARDS) suite(subject)
  })
}

/** The part of it that reads: what memory in front of the database might answer in its place. */
export function readingContract(subject: Subject): void {
  describe(subject.name, () => {
    for (const suite of READING) suite(subject)
  })
}

/** The part of that which finds entries by their keys, and keeps them in mind. */
export function keyContract(subject: Subject): void {
  describe(subject.name, () => {
    for (const suite of READING_KEYS) suite(subject)
  })
}

/** What a `Cache` does besides, having one database. */
export function queueContract(subject: Subject<Cache>): void {
  describe(subject.name, () => {
    queueSuite(subject)
    sortedKeysSuite(subject)
  })
}
