const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { Cache } = require('fanout-cache')

let directory
let cache

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fanout-cache-jest-'))
  cache = new Cache(directory)
})

afterEach(async () => {
  await cache.close()
  rmSync(directory, { recursive: true })
})

// Jest runs modules in a realm of its own: classes of this file are not those of Node.
test.each([
  ['a number', 42],
  ['plain data', { name: 'Ann', roles: ['admin'] }],
  ['bytes', Buffer.from('bytes')],
  ['a large value', 'x'.repeat(100_000)],
])('keeps %s', async (_, value) => {
  await cache.set('key', value)
  expect(await cache.get('key')).toEqual(value)
})

test('keeps a Map', async () => {
  await cache.set('key', new Map([['a', 1]]))
  expect((await cache.get('key')).get('a')).toBe(1)
})

test('answers undefined for a miss', async () => {
  expect(await cache.get('key')).toBeUndefined()
})
