import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createKeyv as createKeyv5 } from 'fanout-cache/keyv'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv6'
import { Keyv } from 'keyv'
import { run } from './shared/run.mjs'

const { root } = JSON.parse(process.argv[2])
const fresh = () => ({ directory: mkdtempSync(join(root, 'cache-')), shards: 1 })

async function collected(keyv) {
  const found = []
  for await (const entry of keyv.iterator()) found.push(entry)
  return found
}

await run({
  'createKeyv makes a Keyv 6': async () => {
    const keyv = createKeyv({ ...fresh(), namespace: 'n', ttl: '1m', stats: true })
    assert.ok(keyv instanceof Keyv)
    assert.deepEqual([keyv.ttl, keyv.namespace], [60_000, 'n'])
    assert.equal(await keyv.set('a', 1), true)
    assert.equal(await keyv.get('a'), 1)
    assert.equal(keyv.stats.hits, 1)
    assert.ok((await keyv.getRaw('a')).expires - Date.now() > 50_000)
    await keyv.disconnect()
  },
  'values come back as they were, by every method': async () => {
    const keyv = createKeyv(fresh())
    const values = [
      new Map([[1, new Set([2n])]]),
      new Date(0),
      5n,
      Buffer.from('x'),
      new Uint8Array(2),
      null,
      '{"value":1}',
      '',
    ]
    for (const value of values) {
      await keyv.set('a', value)
      assert.deepEqual(await keyv.get('a'), value)
      assert.deepEqual(await keyv.getMany(['a', 'b']), [value, undefined])
      assert.deepEqual((await keyv.getManyRaw(['a']))[0].value, value)
      assert.deepEqual(await keyv.hasMany(['a', 'b']), [true, false])
      assert.deepEqual(await collected(keyv), [['a', value]])
    }
    assert.deepEqual(
      await keyv.setMany([
        { key: 'b', value: 1 },
        { key: 'c', value: 2, ttl: 1000 },
      ]),
      [true, true],
    )
    assert.deepEqual(await keyv.deleteMany(['b', 'x']), [true, false])
    assert.equal(await keyv.setRaw('r', { value: 1, expires: Date.now() - 1 }), true)
    assert.equal(await keyv.get('r'), undefined)
    await keyv.clear()
    assert.deepEqual(await collected(keyv), [])
    await keyv.disconnect()
  },
  'what expires is gone': async () => {
    const keyv = createKeyv(fresh())
    await keyv.set('a', 1, 5)
    await new Promise(resolve => setTimeout(resolve, 10))
    assert.deepEqual([await keyv.get('a'), await keyv.has('a')], [undefined, false])
    await keyv.disconnect()
  },
  'createKeyv and a plain Keyv of one namespace read each other': async () => {
    const where = fresh()
    const [created, plain] = [createKeyv(where), new Keyv({ store: new KeyvDiskStore(where) })]
    await created.set('a', { x: 1 })
    await plain.set('b', { y: 2n })
    assert.deepEqual([await plain.get('a'), await created.get('b')], [{ x: 1 }, { y: 2n }])
    await Promise.all([created.disconnect(), plain.disconnect()])
  },
  'hooks and telemetry': async () => {
    const keyv = createKeyv(fresh())
    const seen = []
    for (const event of ['stat:set', 'stat:hit', 'stat:miss', 'stat:delete', 'clear', 'disconnect'])
      keyv.on(event, () => seen.push(event))
    keyv.onHook('before:set', data => {
      data.value = `${data.value}!`
    })
    await keyv.set('a', 'x')
    assert.equal(await keyv.get('a'), 'x!')
    await keyv.get('b')
    await keyv.delete('a')
    await keyv.clear()
    await keyv.disconnect()
    assert.deepEqual(seen, ['stat:set', 'stat:hit', 'stat:miss', 'stat:delete', 'clear', 'disconnect'])
  },
  'the door of Keyv 5 says that Keyv 6 is installed': () => {
    assert.throws(() => createKeyv5(fresh()), /fanout-cache\/keyv is for Keyv 5, and Keyv 6 is installed/)
  },
  'CommonJS loads the same': async () => {
    const door = createRequire(import.meta.url)('fanout-cache/keyv6')
    const where = fresh()
    const [esm, cjs] = [createKeyv(where), door.createKeyv(where)]
    await esm.set('a', 1)
    assert.equal(await cjs.get('a'), 1)
    await Promise.all([esm.disconnect(), cjs.disconnect()])
  },
})
