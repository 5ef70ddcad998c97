import { describe } from 'vitest'
import { bulkSuite } from '../../contract/bulk.js'
import { countersSuite } from '../../contract/counters.js'
import { descriptionsSuite } from '../../contract/descriptions.js'
import { getOrSetSuite } from '../../contract/get-or-set.js'
import { getOrSetFlightsSuite } from '../../contract/get-or-set-flights.js'
import { getOrSetFreshnessSuite } from '../../contract/get-or-set-freshness.js'
import { getOrSetMisuseSuite } from '../../contract/get-or-set-misuse.js'
import { getOrSetStoringSuite } from '../../contract/get-or-set-storing.js'
import { itemsSuite } from '../../contract/items.js'
import { keysSuite } from '../../contract/keys.js'
import { lifecycleSuite } from '../../contract/lifecycle.js'
import { listingSuite } from '../../contract/listing.js'
import { maintenanceSuite } from '../../contract/maintenance.js'
import { orderingSuite } from '../../contract/ordering.js'
import { settingsSuite } from '../../contract/settings.js'
import { streamsAndFilesSuite } from '../../contract/streams-and-files.js'
import { tagsSuite } from '../../contract/tags.js'
import { transactSuite } from '../../contract/transact.js'
import { ttlSuite } from '../../contract/ttl.js'
import { valuesSuite } from '../../contract/values.js'
import { namespaceSubjects } from './subjects.js'

const SUITES = [
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

for (const subject of ['structured', 'json'].flatMap(codec => namespaceSubjects(codec as 'json'))) {
  describe(subject.name, () => {
    for (const suite of SUITES) suite(subject)
  })
}
