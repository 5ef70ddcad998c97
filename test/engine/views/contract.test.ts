import { describe } from 'vitest'
import { bulkSuite } from '../../contract/bulk.js'
import { countersSuite } from '../../contract/counters.js'
import { descriptionsSuite } from '../../contract/descriptions.js'
import { getOrSetSuite } from '../../contract/get-or-set.js'
import { getOrSetFlightsSuite } from '../../contract/get-or-set-flights.js'
import { getOrSetStoringSuite } from '../../contract/get-or-set-storing.js'
import { itemsSuite } from '../../contract/items.js'
import { keysSuite } from '../../contract/keys.js'
import { listingSuite } from '../../contract/listing.js'
import { maintenanceSuite } from '../../contract/maintenance.js'
import { orderingSuite } from '../../contract/ordering.js'
import { tagsSuite } from '../../contract/tags.js'
import { transactSuite } from '../../contract/transact.js'
import { ttlSuite } from '../../contract/ttl.js'
import { valuesSuite } from '../../contract/values.js'
import { namespaceSubjects } from './subjects.js'

/** What a view can get wrong: keys, options, listings, order. What files and settings do is the cache's alone. */
const SUITES = [
  itemsSuite,
  descriptionsSuite,
  countersSuite,
  ttlSuite,
  tagsSuite,
  listingSuite,
  bulkSuite,
  transactSuite,
  orderingSuite,
  keysSuite,
  valuesSuite,
  maintenanceSuite,
  getOrSetSuite,
  getOrSetStoringSuite,
  getOrSetFlightsSuite,
]
/** Where keys are compressed, what concerns prefixes goes another way. */
const HIDDEN = [listingSuite, keysSuite, tagsSuite, ttlSuite, transactSuite]

const subjects = [
  ...namespaceSubjects('structured').map(subject => ({ subject, suites: SUITES })),
  ...namespaceSubjects('json').map(subject => ({ subject, suites: HIDDEN })),
]

for (const { subject, suites } of subjects) {
  describe(subject.name, () => {
    for (const suite of suites) suite(subject)
  })
}
