import { Cache, FanoutCache } from 'fanout-cache'
import { diskDriver as bentoDriver } from 'fanout-cache/bentocache'
import { diskStore } from 'fanout-cache/cache-manager'
import { cachifiedDisk } from 'fanout-cache/cachified'
import { DiskRateLimitStore } from 'fanout-cache/express-rate-limit'
import { DiskSessionStore } from 'fanout-cache/express-session'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { diskDriver } from 'fanout-cache/unstorage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

type Make = (source: never, options?: never) => unknown

const SMALL: [string, Make][] = [
  ['diskDriver of bentocache', (source, options) => bentoDriver(source, options).factory({})],
  ['diskDriver of unstorage', (source, options) => diskDriver(source, options)],
  ['cachifiedDisk', (source, options) => cachifiedDisk(source, options)],
  ['DiskSessionStore', (source, options) => new DiskSessionStore(source, options)],
  ['DiskRateLimitStore', (source, options) => new DiskRateLimitStore(source, options)],
]

describe.each(SMALL)('%s', (_name, make) => {
  it.each([
    ['evictionPolice', 'evictionPolicy'],
    ['tll', undefined],
    ['maxEntries', undefined],
  ])('refuses %s, which it does not know', (name, meant) => {
    const options = { [name]: 1 } as never
    const message = meant ? `unknown option ${name}; did you mean ${meant}?` : `unknown option ${name}; `
    expect(() => make(temporaryDirectory() as never, options)).toThrow(message)
    expect(() => make({ directory: temporaryDirectory(), ...(options as object) } as never)).toThrow(TypeError)
  })
})

describe.each<[string, Make]>([
  ...SMALL,
  ['createKeyv', createKeyv],
  ['KeyvDiskStore', (source, options) => new KeyvDiskStore(source, options)],
  ['diskStore', diskStore],
])('%s', (_name, make) => {
  it.each([5, 'users', null])('refuses %s in place of options', options => {
    expect(() => make(temporaryDirectory() as never, options as never)).toThrow(/: options must be an object, got /)
  })
})

describe.each<[string, Make]>([
  ...SMALL,
  ['createKeyv', (source, options) => createKeyv(source, options)],
  ['KeyvDiskStore', (cache, options: object = {}) => new KeyvDiskStore({ cache, ...options })],
  ['diskStore', (cache, options: object = {}) => diskStore({ cache, ...options })],
])('%s', (_name, make) => {
  it.each([
    ['Cache', Cache],
    ['FanoutCache', FanoutCache],
  ])('refuses what has no effect on a %s that it is given', (_kind, kind) => {
    const cache = new kind(temporaryDirectory())
    onTestFinished(() => cache.close())
    const options = { evictionPolicy: 'none' } as never
    expect(() => make(cache as never, options)).toThrow(/evictionPolicy has no effect on a cache that is given/)
    expect(() => make(cache as never)).not.toThrow()
  })
})
