import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type express5 from 'express'
import { beforeAll, describe, expect, it } from 'vitest'
import { run, type Setting } from './harness.js'
import { exchange } from './scenarios/exchange.js'
import { freshness } from './scenarios/freshness.js'
import { grammar } from './scenarios/grammar.js'
import { representation } from './scenarios/representation.js'

const express4: typeof express5 = createRequire(import.meta.url)('express4')

/** Fields that a cache knows nothing of: requests that have them go the long way. */
const STRANGE = ['Cache-Control: nothing-to-see-here', 'Pragma: foo']

const SETTINGS: readonly (readonly [title: string, setting: Omit<Setting, 'directory'>])[] = [
  ['Express 5, and lines as they came', { proxy: 'writeHead', always: STRANGE }],
  ['Express 4, and plain requests', { proxy: 'setHeader', always: [], make: () => express4() }],
]

const groups = { freshness, grammar, exchange, representation }
const all = Object.values(groups).flat()

describe.each(SETTINGS)('RFC 9111, over HTTP: %s', (_title, setting) => {
  let results = new Map<string, string[]>()
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-test-'))
    results = await run(all, { ...setting, directory })
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  })

  describe.each(Object.entries(groups))('%s', (_group, scenarios) => {
    it.each(scenarios.map(({ id, kind }) => [id, kind]))('%s (%s)', id => {
      expect(results.get(id)?.join('\n')).toBe('')
    })
  })
})
