import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyvIteratorTests, default as keyvTestSuite } from '@keyv/test-suite'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { Keyv } from 'keyv'
import * as vitest from 'vitest'
import { afterAll, beforeEach, describe } from 'vitest'

/** One directory for all stores of a suite: they share its engine, as the doors of a process do. */
function suiteDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-test-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
  return directory
}

// The suite counts assertions with the `expect` of a test, which counts on from the first try in the second one.
beforeEach(({ expect }) => expect.setState({ assertionCalls: 0 }))

describe('new Keyv({ store: new KeyvDiskStore(directory) })', () => {
  const directory = suiteDirectory()
  const store = () => new KeyvDiskStore(directory)
  keyvTestSuite(vitest, Keyv, store)
  keyvIteratorTests(vitest, Keyv, store)
})

describe('createKeyv(directory)', () => {
  const directory = suiteDirectory()
  /** The suite makes its Keyvs itself: this one makes them as createKeyv does, but where it is given a serializer. */
  function Created({ store, ...options }: { store?: KeyvDiskStore; serialize?: unknown; namespace?: string } = {}) {
    if (options.serialize !== undefined) return new Keyv({ store, ...options } as never)
    return createKeyv(directory, options)
  }
  const store = () => new KeyvDiskStore(directory)
  keyvTestSuite(vitest, Created as any, store)
  keyvIteratorTests(vitest, Created as any, store)
})
