import { expect, it } from 'vitest'
import type { CacheHandle } from '../../../src/engine/cache-handle.js'
import { patient } from '../../../src/engine/collections/collection-cache.js'

it.each([
  ['no options', undefined, true],
  ['a retry that is undefined', { retry: undefined }, true],
  ['no retry', { retry: false }, false],
])('verbs of collections wait with %s as long as they are told', (_what, options, retry) => {
  const handle = { options: { given: new Map() } } as unknown as CacheHandle
  expect(patient(handle, options)).toEqual({ retry })
})

it('a timeout of the collection ends their waiting, unless a verb says otherwise', () => {
  const handle = { options: { given: new Map([['timeout', 5]]) } } as unknown as CacheHandle
  expect([patient(handle, {}), patient(handle, { retry: true })]).toEqual([{ retry: false }, { retry: true }])
})
