import { defineModel, jsonCodec } from 'fanout-cache'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { collect } from '../helpers/collect.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectClean, KINDS, openInPython, withPython } from './support.js'

withPython.each(KINDS)('namespaces in a $kind that Node and Python share', ({ open, inPython }) => {
  it('have text keys that Python reads, writes, lists and removes', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    const prod = cache.namespace('prod', { version: 2 })
    await prod.set('from node', 'hello')
    await prod.set(7, 'number')
    await openInPython(python, directory, inPython)
    expect(await python.call("cache.get('prod:2:from node')")).toBe('hello')
    expect(await python.call('sorted(cache)')).toEqual(['prod:2:from node', 'prod:2:~n7'])
    await python.call("cache.set('prod:2:from python', 'hi', expire=3600, tag='t')")
    expect(await prod.get('from python')).toBe('hi')
    expect((await collect(prod.keys())).map(String).sort()).toEqual(['7', 'from node', 'from python'])
    expect(await prod.info('from python')).toMatchObject({ key: 'from python', tag: 't' })
    expect(await prod.evict('t')).toBe(1)
    expect(await python.call("cache.delete('prod:2:from node')")).toBe(true)
    expect(await prod.clear()).toBe(1)
    await expectClean(cache, python)
  })

  it('leave nothing that Python finds fault with where a model has limits of its own', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    const model = cache.model(defineModel({ name: 'Text', version: 1, schema: z.string(), maxItems: 10 }))
    await model.putMany(Array.from({ length: 12 }, (_, at) => [at, 'x'.repeat(at * 10_000)] as const))
    await openInPython(python, directory, inPython)
    await expectClean(cache, python)
    expect(await model.get(11)).toHaveLength(110_000)
  })

  it('hold values of models that Python reads and writes where the codec is JSON', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory, { codec: jsonCodec })
    const users = cache.model(defineModel({ name: 'User', version: 1, schema: z.object({ name: z.string() }) }))
    await users.put('ann', { name: 'Ann' })
    await openInPython(python, directory, `${inPython.slice(0, -1)}, disk=diskcache.JSONDisk)`)
    expect(await python.call("cache['model=User:ann']")).toEqual({ version: 1, value: { name: 'Ann' } })
    await python.call("cache.set('model=User:bob', {'version': 1, 'value': {'name': 'Bob'}})")
    expect(await users.get('bob')).toEqual({ name: 'Bob' })
    await python.call("cache.set('model=User:bad', {'version': 1, 'value': {'name': 5}})")
    expect(await users.get('bad')).toBeUndefined()
    expect((await collect(users.keys())).sort()).toEqual(['ann', 'bob'])
  })
})
