import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Cache, type FanoutCache } from 'fanout-cache'
import { expect, it, onTestFinished } from 'vitest'
import { python as executable } from '../helpers/peers.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { expectClean, KINDS, openCache, openInPython, withPython } from './support.js'

/** What one process did, as fixtures/worker.mjs and fixtures/worker.py tell at their end. */
interface Told {
  readonly counted: Readonly<Record<string, number>>
  readonly pairs: number
  readonly pushed: readonly string[]
  readonly pulled: readonly string[]
  readonly tokens: readonly string[]
  readonly popped: readonly string[]
  readonly wrong: readonly string[]
}

const POLICIES = ['least-recently-stored', 'least-recently-used', 'least-frequently-used'] as const
const NAMES = ['node 1', 'node 2', 'python 1', 'python 2']

interface Working {
  /** When it has done so much that nobody can say it was kept out. */
  readonly enough: Promise<void>
  /** Lets it end. */
  stop(): void
  readonly told: Promise<Told>
}

function start(name: string, directory: string, kind: string, operations: number): Working {
  const node = name.startsWith('node')
  const program = fileURLToPath(new URL(`./fixtures/worker.${node ? 'mjs' : 'py'}`, import.meta.url))
  const work = JSON.stringify({ directory, kind, name, names: NAMES, enough: operations })
  const child = spawn(node ? process.execPath : executable, [program, work])
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  const errors: Buffer[] = []
  child.stderr.on('data', chunk => errors.push(chunk))
  let reached = (): void => {}
  const ended = new Promise<Told>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      const said = Buffer.concat(errors).toString()
      if (code === 0 && said === '') resolve(JSON.parse(lines.at(-1) ?? '') as Told)
      else reject(new Error(`${name} ended with ${code}: ${said}`))
    })
  })
  const enough = new Promise<void>(resolve => {
    reached = resolve
  })
  createInterface(child.stdout).on('line', line => {
    lines.push(line)
    reached()
  })
  // One that ends before is told by its end.
  return { enough: Promise.race([enough, ended.then(() => {})]), stop: () => child.stdin.end(), told: ended }
}

/** All work until each of them has done so many operations: none may be kept out by the others. */
async function work(directory: string, kind: string, operations: number): Promise<readonly Told[]> {
  const working = NAMES.map(name => start(name, directory, kind, operations))
  await Promise.all(working.map(({ enough }) => enough))
  for (const { stop } of working) stop()
  const told = await Promise.all(working.map(one => one.told))
  expect(told.flatMap(({ wrong }) => wrong)).toEqual([])
  return told
}

function counted(told: readonly Told[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [key, count] of told.flatMap(each => Object.entries(each.counted))) sums[key] = (sums[key] ?? 0) + count
  return sums
}

async function expectCounted(cache: Cache | FanoutCache, told: readonly Told[]): Promise<void> {
  const sums = counted(told)
  const keys = Object.keys(sums)
  expect(keys.length).toBeGreaterThan(0)
  const values = await cache.getMany(keys)
  expect(Object.fromEntries(keys.map((key, index) => [key, values[index]]))).toEqual(sums)
  const pairs = told.reduce((sum, each) => sum + each.pairs, 0)
  expect(await cache.getMany(['left', 'right'])).toEqual([pairs, pairs])
}

async function expectTokens(cache: Cache | FanoutCache, told: readonly Told[]): Promise<void> {
  const left: string[] = []
  for await (const key of cache.keys({ prefix: 'token ' })) left.push(String(key).slice('token '.length))
  const popped = told.flatMap(each => each.popped)
  expect([...popped, ...left].sort()).toEqual(told.flatMap(each => each.tokens).sort())
  expect(popped.length).toBeGreaterThan(0)
}

async function expectQueue(cache: Cache, told: readonly Told[]): Promise<void> {
  const pulled = told.flatMap(each => each.pulled)
  expect(pulled.length).toBeGreaterThan(0)
  for (let item = await cache.pull<string>(); item; item = await cache.pull<string>()) {
    pulled.push(item.value.replace(/\.+$/, ''))
  }
  expect(pulled.sort()).toEqual(told.flatMap(each => each.pushed).sort())
}

/** Both sides find nothing, and when all entries are gone so are all files. */
async function expectWhole(cache: Cache | FanoutCache, python: Python, directory: string): Promise<void> {
  await expectClean(cache, python)
  await cache.clear()
  expect(valueFiles(directory)).toEqual([])
  await expectClean(cache, python)
}

withPython('two Node and two Python processes at the same time', () => {
  it.each(KINDS)('lose no count, no item and no file of one $kind', async subject => {
    const directory = temporaryDirectory()
    const told = await work(directory, subject.kind, 200)
    const python = startPython()
    const cache = subject.open(directory)
    await openInPython(python, directory, subject.inPython)
    await expectClean(cache, python)
    await expectCounted(cache, told)
    await expectTokens(cache, told)
    if (cache instanceof Cache) await expectQueue(cache, told)
    await expectWhole(cache, python, directory)
  })

  it.each(POLICIES)('leave a clean directory when all of them evict by %s', async policy => {
    const directory = temporaryDirectory()
    const cache = openCache(directory, { sizeLimit: 1_500_000, evictionPolicy: policy })
    await cache.open()
    await cache.close()
    await work(directory, 'Cache', 60)
    const python = startPython()
    await openInPython(python, directory)
    expect(await python.call('[cache.size_limit, cache.eviction_policy]')).toEqual([1_500_000, policy])
    await expectClean(cache, python)
    await cache.cull()
    expect(await cache.volume()).toBeLessThanOrEqual(1_500_000)
    await expectWhole(cache, python, directory)
  })
})
