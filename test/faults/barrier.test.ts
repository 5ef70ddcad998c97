import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const FIXTURE = new URL('./fixtures/counting.mjs', import.meta.url)

it('barrier keeps the calls of four processes apart', async () => {
  const file = join(temporaryDirectory(), 'number')
  writeFileSync(file, '0')
  const args = { directory: temporaryDirectory(), file, times: 50 }
  const counters = Array.from({ length: 4 }, () => new FixtureProcess(FIXTURE, args))
  await Promise.all(counters.map(one => one.line('ready')))
  for (const one of counters) one.send('go')
  await Promise.all(counters.map(one => one.done()))
  expect(readFileSync(file, 'utf8')).toBe('200')
})
