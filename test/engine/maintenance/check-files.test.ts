import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from 'fanout-cache'
import { expect, it } from 'vitest'
import { checkFiles } from '../../../src/engine/maintenance/check-files.js'
import { TaskControl } from '../../../src/engine/maintenance/task-control.js'
import { cacheSubject } from '../../contract/subjects.js'
import { rawDatabase } from '../../helpers/raw-database.js'

const structured = cacheSubject('structured')
const FOLDER = '3a/4b'
const NAME = `${FOLDER}/${'0'.repeat(28)}.val`

/** A cache of one small entry, beside it a folder for values, and a check of its files that takes its first look at the call. */
async function checked(fix: boolean, betweenSteps: (findings: Finding[]) => void = () => undefined) {
  const cache = structured.make()
  await cache.set('key', 'small')
  const { directory } = cache
  mkdirSync(join(directory, FOLDER), { recursive: true })
  // Of long ago, since times of directories are coarse.
  utimesSync(join(directory, FOLDER), 1, 1)
  const db = rawDatabase(directory)
  const findings: Finding[] = []
  class Control extends TaskControl {
    override patiently<T>(step: () => T): T {
      betweenSteps(findings)
      return super.patiently(step)
    }
  }
  const control = new Control(1000, new Int32Array(new SharedArrayBuffer(4)))
  const check = () => checkFiles({ directory, db, fix, findings, control, unlinkLater: false })
  return { directory, findings, check }
}

it.each([false, true])('a file that is named while check looks twice is no finding (fix: %s)', async fix => {
  const { directory, findings, check } = await checked(fix)
  const path = join(directory, NAME)
  writeFileSync(path, 'value')
  const over = check()
  rawDatabase(directory).prepare('UPDATE Cache SET filename = ?, size = 5').run(NAME)
  await over
  expect(findings).toEqual([])
  expect(existsSync(path)).toBe(true)
})

it.each([false, true])('an empty folder that others use while check looks twice is no finding (fix: %s)', async fix => {
  const { directory, findings, check } = await checked(fix)
  const over = check()
  const path = join(directory, NAME)
  writeFileSync(path, 'value')
  rmSync(path)
  await over
  expect(findings).toEqual([])
  expect(existsSync(join(directory, FOLDER))).toBe(true)
})

it('a file that is named while check removes others stays', async () => {
  const name = (at: number): string => `${FOLDER}/${String(at).padStart(28, '0')}.val`
  let nameOne = (): void => undefined
  const { directory, findings, check } = await checked(true, found => {
    if (found.length > 0) nameOne()
  })
  for (let at = 0; at < 1200; at++) writeFileSync(join(directory, name(at)), 'value')
  const untouched = (): string => readdirSync(join(directory, FOLDER)).sort().at(-1) as string
  let named = ''
  nameOne = () => {
    if (named) return
    named = untouched()
    rawDatabase(directory).prepare('UPDATE Cache SET filename = ?, size = 5').run(`${FOLDER}/${named}`)
  }
  await check()
  expect([readdirSync(join(directory, FOLDER)), findings.length]).toEqual([[named], 1199])
})
