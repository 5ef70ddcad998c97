import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SchemaError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { openFiles } from '../helpers/open-files.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, shardsOf } from './support/caches.js'

const WINDOWS = process.platform === 'win32'

/** Runs a script that is given as text, and answers what it prints. */
function run(script: string, shell: string): string {
  const node = `exec "${process.execPath}" --unhandled-rejections=strict --input-type=module -e "$SCRIPT"`
  const env = { ...process.env, SCRIPT: script }
  const { stdout, stderr } = spawnSync('sh', ['-c', `${shell}; ${node}`], { env, timeout: 60_000, encoding: 'utf8' })
  return stdout + stderr
}

describe.skipIf(WINDOWS).each(KINDS)('a %s in a process that may have 128 files open', kind => {
  it('stores, reads and removes a thousand files that are asked for at once', () => {
    const script = `
      import { ${kind} } from 'fanout-cache'
      const cache = new ${kind}('${temporaryDirectory()}', ${kind === 'Cache' ? '{}' : '{ shards: 2 }'})
      const keys = Array.from({ length: 1000 }, (_, key) => key)
      const all = async verb => {
        const answers = await Promise.allSettled(keys.map(verb))
        return answers.filter(({ value }) => value === true || value?.length === 33_000).length
      }
      console.log(await all(key => cache.set(key, Buffer.alloc(33_000))))
      console.log(await all(key => cache.get(key)), (await cache.getMany(keys)).filter(Boolean).length)
      console.log(await all(key => cache.pop(key)), await cache.count())
      await cache.close()`
    expect(run(script, 'ulimit -n 128')).toBe('1000\n1000 1000\n1000 0\n')
  })

  it('stores and reads in turn where it may have only some of the usual number open', () => {
    const script = `
      import { closeSync, openSync } from 'node:fs'
      import { ${kind} } from 'fanout-cache'
      const cache = new ${kind}('${temporaryDirectory()}', ${kind === 'Cache' ? '{}' : '{ shards: 2 }'})
      // Its search for orphans, a second after opening, finds no descriptor either.
      cache.on('error', () => {})
      await cache.open()
      // All but twenty, of which Node needs some for itself.
      const rest = []
      try {
        for (;;) rest.push(openSync('/dev/null'))
      } catch {}
      for (const descriptor of rest.splice(0, 20)) closeSync(descriptor)
      const keys = Array.from({ length: 300 }, (_, key) => key)
      const all = async verb => (await Promise.allSettled(keys.map(verb))).filter(({ value }) => value).length
      console.log(await all(key => cache.set(key, Buffer.alloc(33_000))), await all(key => cache.get(key)))
      await cache.close()`
    expect(run(script, 'ulimit -n 128')).toBe('300 300\n')
  })

  it('closes what a read() has opened whose writes around it were made again', () => {
    const script = `
      import { ${kind} } from 'fanout-cache'
      const cache = new ${kind}('${temporaryDirectory()}', ${kind === 'Cache' ? '{}' : '{ shards: 1 }'})
      await cache.set('text', 'no number')
      await cache.set('file', Buffer.alloc(33_000))
      let answers = ''
      for (let round = 0; round < 300; round++) {
        const calls = [cache.touch('file', { ttl: '1h' }), cache.read('file'), cache.incr('text')]
        const [touched, { value: file }, counted] = await Promise.allSettled(calls)
        answers = [touched.value, (await file.bytes()).length, counted.reason.name].join(' ')
      }
      console.log(answers)
      await cache.close()`
    expect(run(script, 'ulimit -n 128')).toBe('true 33000 TypeError\n')
  })

  it('rejects with a typed error when there is none left, and goes on when there are', () => {
    const script = `
      import { closeSync, openSync } from 'node:fs'
      import { ${kind} } from 'fanout-cache'
      const cache = new ${kind}('${temporaryDirectory()}', ${kind === 'Cache' ? '{}' : '{ shards: 2 }'})
      const large = Buffer.alloc(33_000)
      for (const key of [0, 1]) await cache.set(key, large)
      // What follows the first write has ended then.
      await cache.close()
      await cache.open()
      const open = []
      try {
        for (;;) open.push(openSync('/dev/null'))
      } catch {}
      const some = () => Array.from({ length: 20 }, () => cache.get(0))
      const reads = some()
      for (const until = performance.now() + 10; performance.now() < until; ) {}
      // Where the loop was held for long, reads give way to it before they are waited for.
      reads.push(...some())
      console.log(new Set((await Promise.allSettled(reads)).map(({ reason }) => reason?.code)))
      const verbs = [cache.set(2, large), cache.setMany([[3, large]]), cache.get(0), cache.pop(1), cache.check()]
      for (const { reason } of await Promise.allSettled(verbs)) console.log(reason?.code)
      for (const descriptor of open) closeSync(descriptor)
      console.log(await cache.set(2, large), (await cache.get(0)).length)
      await cache.close()`
    expect(run(script, 'ulimit -n 128')).toBe(
      `Set(1) { 'ERR_CACHE_STORAGE' }\n${'ERR_CACHE_STORAGE\n'.repeat(5)}true 33000\n`,
    )
  })
})

it.each(KINDS)('a %s closes the database that it refuses to open', async kind => {
  const directory = temporaryDirectory()
  for (const shard of shardsOf(kind)) {
    const place = join(directory, shard)
    mkdirSync(place, { recursive: true })
    rawDatabase(place).exec('CREATE TABLE Cache (other)').close()
  }
  await expect(cacheOf(kind, directory).open()).rejects.toThrow(SchemaError)
  expect(openFiles(directory, /cache\.db/)).toEqual([])
})

describe.skipIf(WINDOWS)('a script that is given as text', () => {
  it.each(['true', 'NODE_OPTIONS="--no-warnings --input-type=module"; export NODE_OPTIONS'])(
    'checks, and builds an index, in a thread (%s)',
    shell => {
      const script = `
      import { Cache } from 'fanout-cache'
      const cache = new Cache('${temporaryDirectory()}')
      await cache.set('key', 'value', { tag: 'tag' })
      await cache.createTagIndex()
      console.log(await cache.check(), (await cache.settings()).tagIndex)
      await cache.close()`
      expect(run(script, shell)).toBe('[] true\n')
    },
  )
})
