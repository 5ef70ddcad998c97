import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Cache } from 'fanout-cache'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { run } from '../../dist/cli.mjs'
import { collect } from '../helpers/collect.js'
import { EVENTUALLY } from '../helpers/patience.js'
import { peer, python } from '../helpers/peers.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { BIN } from './support/command-line.js'

let directory: string

beforeEach(async () => {
  directory = temporaryDirectory()
  const cache = new Cache(directory)
  await cache.set('key', 'value')
  await cache.close()
})

async function expectClean(keys: readonly string[] | undefined): Promise<void> {
  const cache = new Cache(directory)
  expect(await cache.check()).toEqual([])
  if (keys) expect(await collect(cache.keys())).toEqual(keys)
  await cache.close()
  expect(readdirSync(directory).filter(name => name.includes('-tmp-'))).toEqual([])
}

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    '%s in the middle of a value from stdin stores nothing and leaves nothing: exit code %i',
    async (signal, code) => {
      const child = spawn(process.execPath, [BIN, 'set', directory, 'half', '-'])
      const said = text(child.stderr)
      child.stdin.on('error', () => {})
      child.stdin.write(Buffer.alloc(100_000, 1))
      await vi.waitUntil(() => readdirSync(directory).some(name => name.includes('-tmp-')), EVENTUALLY)
      child.kill(signal)
      expect(await once(child, 'close')).toEqual([code, null])
      expect(await said).toBe('fanout-cache: interrupted\n')
      await expectClean(['key'])
    },
  )

  it('while more keys are awaited from stdin removes none of them', async () => {
    const child = spawn(process.execPath, [BIN, 'delete', directory, '--stdin'])
    const said = text(child.stderr)
    child.stdin.on('error', () => {})
    child.stdin.write('key\n')
    // It has the database open, and so it listens to signals.
    await vi.waitUntil(() => existsSync(`${directory}/cache.db-wal`), EVENTUALLY)
    child.kill('SIGINT')
    expect(await once(child, 'close')).toEqual([130, null])
    expect(await said).toBe('fanout-cache: interrupted\n')
    await expectClean(['key'])
  })

  it('in the middle of a listing ends it', async () => {
    const cache = new Cache(directory)
    await cache.setMany(Array.from({ length: 20_000 }, (_, at) => [`key ${at} ${'x'.repeat(40)}`, at] as const))
    await cache.close()
    const child = spawn(process.execPath, [BIN, 'ls', directory, '--long'])
    // A reader that stops reading: the listing waits for it when the signal comes.
    await once(child.stdout, 'readable')
    child.kill('SIGINT')
    const ended = once(child, 'exit')
    expect(await ended).toEqual([130, null])
    child.stdout.destroy()
  })

  it('at any moment of a removal leaves a directory without fault', async () => {
    for (const rows of [0, 1000, 5000]) {
      const cache = new Cache(directory)
      await cache.setMany(Array.from({ length: 8000 }, (_, at) => [at, 'x', at < 20 ? { file: true } : {}] as const))
      const before = await cache.count()
      const child = spawn(process.execPath, [BIN, 'clear', directory, '--yes'], { stdio: 'ignore' })
      const ended = once(child, 'close')
      let over = false
      void ended.then(() => {
        over = true
      })
      await vi.waitUntil(async () => over || (await cache.count()) <= before - rows, EVENTUALLY)
      child.kill('SIGINT')
      const [code, signal] = await ended
      // Before it listens, the signal ends it as it ends every process.
      expect([130, 0, 'SIGINT']).toContain(signal ?? code)
      await cache.close()
      await expectClean(undefined)
    }
  })
})

describe.runIf(peer('python'))('a question on a terminal', () => {
  const script = fileURLToPath(new URL('./fixtures/terminal.py', import.meta.url))

  function atTerminal(answer: string, ...args: readonly string[]): { readonly shown: string; readonly code: number } {
    const command = ['[y/N]', answer, process.execPath, BIN, ...args]
    // Variables of whoever runs the tests say no to colours: NO_COLOR, CI and others.
    const { PATH } = process.env
    const env = { PATH, TERM: 'xterm' }
    const { stdout } = spawnSync(python, [script, JSON.stringify(command)], { encoding: 'utf8', env })
    return JSON.parse(stdout) as { shown: string; code: number }
  }

  it.each([
    ['n\n', 1, 'nothing was changed', 1],
    ['\n', 1, 'nothing was changed', 1],
    ['\u0004', 1, 'nothing was changed', 1],
    ['\u0003', 130, 'interrupted', 1],
    ['yikes\n', 1, 'nothing was changed', 1],
    ['y\n', 0, '1 removed', 0],
    ['Yes\n', 0, '1 removed', 0],
  ])('answered by %j ends with exit code %i', async (answer, code, words, left) => {
    const ended = atTerminal(answer, 'clear', directory)
    expect(ended).toEqual({ code, shown: expect.stringContaining(words) })
    expect(ended.shown).toContain(`Remove all 1 entries from ${directory}? [y/N]`)
    expect(ended.shown).toMatch(/[^\r\n]\r+\n(fanout-cache: )?[a-z0-9 ]+\r\n$/)
    const cache = new Cache(directory)
    expect(await cache.count()).toBe(left)
    await cache.close()
  })

  it('is not asked when a signal comes while the entries are counted for it', async () => {
    const ending = new AbortController()
    const terminal = (): PassThrough => Object.assign(new PassThrough(), { isTTY: true })
    const [stdin, stdout, stderr] = [new PassThrough(), terminal(), terminal()]
    // Looked at before anything is counted.
    Object.defineProperty(stdin, 'isTTY', {
      get() {
        queueMicrotask(() => ending.abort(new Error('a signal')))
        return true
      },
    })
    await run(['clear', directory], { stdin, stdout, stderr, env: {} }, ending.signal)
    expect(String(stderr.read())).not.toContain('[y/N]')
    await expectClean(['key'])
  })

  it('is not asked with --yes, and colours stay away with NO_COLOR', () => {
    const listed = atTerminal('', 'ls', directory, '--long', '--no-color')
    expect(listed).toEqual({ code: 0, shown: expect.stringMatching(/SIZE .*KEY\r\n.*key\r\n$/) })
    expect(listed.shown).not.toContain('\u001b')
    expect(atTerminal('', 'ls', directory, '--long').shown).toContain('\u001b[1m')
    expect(atTerminal('', 'clear', directory, '--yes')).toMatchObject({ code: 0, shown: '1 removed\r\n' })
    expect(existsSync(directory)).toBe(true)
  })
})
