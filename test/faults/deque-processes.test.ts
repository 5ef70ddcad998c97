import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Deque } from 'fanout-cache'
import { expect, it, onTestFinished } from 'vitest'
import { peer, python } from '../helpers/peers.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const ITEMS = 20_000
const WORKERS = 8

interface Work {
  readonly directory: string
  readonly role: 'producer' | 'consumer'
  readonly name: string
  readonly items: number
  readonly end: string
}

/** Runs one worker to its end and answers what it printed. Half of them are Python's, where it is there. */
function run(work: Work, inPython: boolean): Promise<string> {
  const script = fileURLToPath(new URL(`./fixtures/deque-worker.${inPython ? 'py' : 'mjs'}`, import.meta.url))
  const child = spawn(inPython ? python : process.execPath, [script, JSON.stringify(work)])
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return Promise.all([ended, text(child.stdout), text(child.stderr)]).then(([code, out, errors]) => {
    if (code === 0 && errors === '') return out
    throw new Error(`${work.name} ended with ${code}: ${errors}`)
  })
}

it('8 producers and 8 consumers move 20,000 items through a deque, each exactly once', async () => {
  const mixed = peer('python')
  const directory = temporaryDirectory()
  const end = join(temporaryDirectory(), 'end')
  const deque = new Deque<string>(directory)
  onTestFinished(() => deque.close())
  await deque.open()
  const workers = (role: Work['role']): Promise<string>[] =>
    Array.from({ length: WORKERS }, (_, at) => {
      const name = `${role} ${at}`
      return run({ directory, role, name, items: ITEMS / WORKERS, end }, mixed && at % 2 === 1)
    })
  const consumed = workers('consumer')
  await Promise.all(workers('producer'))
  writeFileSync(end, '')
  const got = (await Promise.all(consumed)).map(out => JSON.parse(out) as string[])
  const made = Array.from({ length: WORKERS }, (_, worker) =>
    Array.from({ length: ITEMS / WORKERS }, (_, item) => `producer ${worker} ${item}`),
  ).flat()
  expect(got.flat().sort()).toEqual(made.sort())
  // What one producer put in comes out in its order, at each consumer.
  for (const items of got) {
    for (let worker = 0; worker < WORKERS; worker += 1) {
      const own = items.filter(item => item.startsWith(`producer ${worker} `)).map(item => Number(item.split(' ')[2]))
      expect(own).toEqual([...own].sort((a, b) => a - b))
    }
  }
  expect(await deque.length()).toBe(0)
  expect(await deque.cache.check()).toEqual([])
})
