import { describe } from 'vitest'
import { bulkSuite } from '../../contract/bulk.js'
import { countersSuite } from '../../contract/counters.js'
import { descriptionsSuite } from '../../contract/descriptions.js'
import { getOrSetSuite } from '../../contract/get-or-set.js'
import { getOrSetStoringSuite } from '../../contract/get-or-set-storing.js'
import { itemsSuite } from '../../contract/items.js'
import { keysSuite } from '../../contract/keys.js'
import { listingSuite } from '../../contract/listing.js'
import { maintenanceSuite } from '../../contract/maintenance.js'
import { orderingSuite } from '../../contract/ordering.js'
import { tagsSuite } from '../../contract/tags.js'
import { transactSuite } from '../../contract/transact.js'
import { ttlSuite } from '../../contract/ttl.js'
import { namespaceSubjects } from './subjects.js'

/** What a view can get wrong: keys, options, listings, order. What values, files and settings do is the cache's alone. */
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
  maintenanceSuite,
  getOrSetSuite,
  getOrSetStoringSuite,
]
/** What goes through several databases, or has an order of its own there. */
const OVER_SHARDS = [listingSuite, bulkSuite, tagsSuite, transactSuite, maintenanceSuite]
/** Where keys are compressed, what concerns prefixes goes another way. */
const HIDDEN = [listingSuite, keysSuite, tagsSuite]

const [single, fanout] = namespaceSubjects('structured')
const [hidden] = namespaceSubjects('json')

const subjects = [
  { subject: single, suites: SUITES },
  { subject: fanout, suites: OVER_SHARDS },
  { subject: hidden, suites: HIDDEN },
] as const

for (const { subject, suites } of subjects) {
  describe(subject.name, () => {
    for (const suite of suites) suite(subject)
  })
}
