import { jsonCodec, pickleCodec } from 'fanout-cache'
import { expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { GOLDEN_KEYS, type GoldenKey, SHARED_KEYS } from './golden-keys.js'
import { expectClean, openCache, openFanout, openInPython, rows, withPython } from './support.js'

const IN_PYTHON = 'FanoutCache(directory, shards=8, timeout=60)'
const CODECS = [
  { name: 'structuredCodec', options: {} },
  { name: 'pickleCodec', options: { codec: pickleCodec } },
]

/** 0.0 and -0.0 are in one shard, and one row there. */
const ONE_ROW_EACH = GOLDEN_KEYS.filter(({ key }) => key !== '0.0')

/** A list of Python with one key after the other. */
function listOf(keys: readonly { readonly python: string }[]): string {
  return `[${keys.map(({ python }) => python).join(', ')}]`
}

function titled<T>(keys: readonly GoldenKey[], items: readonly T[]): Record<string, T | undefined> {
  return Object.fromEntries(keys.map(({ key }, index) => [key, items[index]]))
}

/** The shard in which each value lies, by the value. */
async function shardsOf(python: Python, directory: string): Promise<Map<unknown, number>> {
  const shards = new Map<unknown, number>()
  for (let shard = 0; shard < 8; shard++) {
    const found = await rows<[unknown]>(python, `${directory}/00${shard}`, 'SELECT value FROM Cache')
    for (const [value] of found) shards.set(value, shard)
  }
  return shards
}

withPython('recorded keys', () => {
  it('are what this Python stores', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory)
    const stored = await python.call<[Buffer | string | number, boolean][]>(
      `[cache.disk.put(key) for key in ${listOf(GOLDEN_KEYS)}]`,
    )
    for (const [index, golden] of GOLDEN_KEYS.entries()) {
      const [data, raw] = stored[index] ?? []
      expect([golden.key, raw]).toEqual([golden.key, golden.raw])
      const text = Buffer.isBuffer(data) ? data.toString('hex') : String(data)
      // The numbers are recorded as JSON, which has lost their last digits, or as their repr.
      if (Buffer.isBuffer(data) || typeof data === 'string')
        expect([golden.key, text]).toEqual([golden.key, golden.enc])
    }
  })

  it.each(CODECS)('are stored by Node as the same bytes with $name', async ({ options }) => {
    const directory = temporaryDirectory()
    const python = startPython()
    for (const [index, { key, enc, raw, node }] of SHARED_KEYS.entries()) {
      const cache = openCache(`${directory}/${index}`, options)
      await cache.set(node, 1)
      const [row] = await rows<[Buffer | string | number, number]>(
        python,
        `${directory}/${index}`,
        'SELECT key, raw FROM Cache',
      )
      const data = row?.[0]
      expect([key, row?.[1]]).toEqual([key, raw ? 1 : 0])
      if (typeof data === 'string' || Buffer.isBuffer(data)) {
        expect([key, typeof data === 'string' ? data : data.toString('hex')]).toEqual([key, enc])
      } else {
        expect([key, Number(data)]).toEqual([key, Number(node)])
      }
      await cache.close()
    }
  })

  it('are stored by Node as the same bytes of JSON with jsonCodec', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { codec: jsonCodec })
    const keys = SHARED_KEYS.filter(({ json }) => json !== null)
    for (const [index, { node }] of keys.entries()) await cache.set(node, index)
    const stored = await rows<[string, number]>(
      python,
      directory,
      'SELECT lower(hex(key)), raw FROM Cache ORDER BY rowid',
    )
    expect(titled(keys, stored)).toEqual(
      titled(
        keys,
        keys.map(({ json }) => [json, 1]),
      ),
    )
  })

  it.each(CODECS)('lie in the recorded shards, stored by Node with $name and found by Python', async ({ options }) => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openFanout(directory, options)
    await cache.setMany(SHARED_KEYS.map(({ node, key }) => [node, key]))
    const shards = await shardsOf(python, directory)
    expect(
      titled(
        SHARED_KEYS,
        SHARED_KEYS.map(({ key }) => shards.get(key)),
      ),
    ).toEqual(
      titled(
        SHARED_KEYS,
        SHARED_KEYS.map(({ shard8 }) => shard8),
      ),
    )
    await openInPython(python, directory, IN_PYTHON)
    const found = await python.call<string[]>(`[cache.get(key) for key in ${listOf(SHARED_KEYS)}]`)
    expect(titled(SHARED_KEYS, found)).toEqual(
      titled(
        SHARED_KEYS,
        SHARED_KEYS.map(({ key }) => key),
      ),
    )
    await expectClean(cache, python)
  })

  it.each(CODECS)('lie in the recorded shards, stored by Python and found by Node with $name', async ({ options }) => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, IN_PYTHON)
    const titles = ONE_ROW_EACH.map(({ key }) => key)
    await python.call(`[cache.set(key, title) for key, title in zip(${listOf(ONE_ROW_EACH)}, titles)]`, { titles })
    const shards = await shardsOf(python, directory)
    expect(
      titled(
        ONE_ROW_EACH,
        titles.map(title => shards.get(title)),
      ),
    ).toEqual(
      titled(
        ONE_ROW_EACH,
        ONE_ROW_EACH.map(({ shard8 }) => shard8),
      ),
    )
    const cache = openFanout(directory, options)
    const found = await cache.getMany(SHARED_KEYS.map(({ node }) => node))
    expect(titled(SHARED_KEYS, found)).toEqual(
      titled(
        SHARED_KEYS,
        SHARED_KEYS.map(({ key }) => key),
      ),
    )
  })

  it('lie in the recorded shards with jsonCodec, both ways', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const keys = SHARED_KEYS.filter(({ json }) => json !== null)
    const cache = openFanout(directory, { codec: jsonCodec })
    for (const [index, { node, jsonhash8 }] of keys.entries()) {
      await cache.clear()
      await cache.set(node, index)
      const counts = await Promise.all(
        Array.from({ length: 8 }, (_, shard) =>
          rows<[number]>(python, `${directory}/00${shard}`, 'SELECT COUNT(*) FROM Cache'),
        ),
      )
      expect([keys[index]?.key, counts.findIndex(([row]) => row?.[0] === 1)]).toEqual([keys[index]?.key, jsonhash8])
    }
    await openInPython(python, directory, IN_PYTHON.replace(')', ', disk=JSONDisk)'))
    await python.call('cache.clear()')
    await python.call(`[cache.set(key, i) for i, key in enumerate(${listOf(keys)})]`)
    expect(titled(keys, await cache.getMany(keys.map(({ node }) => node)))).toEqual(
      titled(
        keys,
        keys.map((_, i) => i),
      ),
    )
  })

  it('are all listed, and each is found by what is listed', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, IN_PYTHON)
    const titles = ONE_ROW_EACH.map(({ key }) => key)
    await python.call(`[cache.set(key, title) for key, title in zip(${listOf(ONE_ROW_EACH)}, titles)]`, { titles })
    const cache = openFanout(directory)
    const entries = await collect(cache.entries<string>())
    expect(entries.map(([, title]) => title).sort()).toEqual([...titles].sort())
    // A float with no fraction is listed as the number it is, and that number is Python's int.
    const exact = entries.filter(([, title]) => title !== '1.0')
    expect(await cache.getMany(exact.map(([key]) => key))).toEqual(exact.map(([, title]) => title))
  })
})
