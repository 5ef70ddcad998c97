import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { Keyv } from 'keyv'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const reader = new URL('./fixtures/keyv-reader.mjs', import.meta.url)
const wrapper = new URL('./fixtures/wrapper.mjs', import.meta.url)

describe.each([
  ['new Keyv({ store })', true, { text: 'a', list: [1, null], buffer: Buffer.from('b') }],
  ['createKeyv', false, { map: new Map([[1, 2n]]), date: new Date(0), bytes: new Uint8Array(2), big: 5n }],
])('what is stored through %s', (_way, plain, values: Record<string, unknown>) => {
  it('is read, removed and added to by a second process, which ends by itself', async () => {
    const directory = temporaryDirectory()
    const namespace = 'ns:1%'
    const keyv = plain
      ? new Keyv({ store: new KeyvDiskStore({ directory, shards: 2 }), namespace })
      : createKeyv({ directory, shards: 2, namespace })
    onTestFinished(() => keyv.disconnect())
    const entries = Object.entries(values).map(([key, value]) => ({ key, value, ttl: 60_000 }))
    expect(await keyv.setMany(entries)).toEqual(entries.map(() => true))

    const keys = [...Object.keys(values), 'missing']
    const added = serialize(values).toString('base64')
    const [said] = await new FixtureProcess(reader, { directory, plain, namespace, keys, added }).done()
    const found = deserialize(Buffer.from(said ?? '', 'base64'))
    expect(found.values).toEqual([...Object.values(values), undefined])
    const raw = await keyv.getManyRaw(keys)
    expect(found.expires.slice(1)).toEqual([...raw.slice(1).map(one => one?.expires ?? null)])
    expect(found.iterated).toHaveLength(keys.length - 1)
    expect(await keyv.get(keys[0] as string)).toBeUndefined()
    expect(await keyv.get('added')).toEqual(values)
  })
})

describe('wrap of a singleFlight cache in three processes', () => {
  it('computes each value once, and the others wait for it', async () => {
    const directory = temporaryDirectory()
    const log = join(temporaryDirectory(), 'log')
    const processes = Array.from({ length: 3 }, () => new FixtureProcess(wrapper, { directory, log }))
    await Promise.all(processes.map(process => process.line('ready')))
    for (const key of ['a', 'b']) {
      for (const process of processes) process.send(key)
      const answers = await Promise.all(processes.map(process => process.line(`value ${key}`)))
      expect(new Set(answers).size).toBe(1)
    }
    expect(readFileSync(log, 'utf8')).toBe('a\nb\n')
  })

  it('computes elsewhere when the process that computes is killed', async () => {
    const directory = temporaryDirectory()
    const log = join(temporaryDirectory(), 'log')
    const [first, second] = [0, 1].map(() => new FixtureProcess(wrapper, { directory, log })) as [
      FixtureProcess,
      FixtureProcess,
    ]
    await Promise.all([first.line('ready'), second.line('ready')])
    first.send('a')
    await expect.poll(() => readIfThere(log), { interval: 5 }).toBe('a\n')
    second.send('a')
    await first.kill()
    expect(await second.line('value a')).toBe(`value a ${second.pid}`)
  })
})

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
