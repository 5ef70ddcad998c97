import { setTimeout as pause } from 'node:timers/promises'
import { Deque, Index, TimeoutError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { collect } from '../helpers/collect.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { printedSeed } from './support/random.js'

const HOLDER = new URL('./fixtures/item-holder.mjs', import.meta.url)
const WORKER = new URL('./fixtures/item-worker.mjs', import.meta.url)
const LARGE = 'k'.repeat(40_000)

async function filled(items: readonly string[]): Promise<Deque<string>> {
  const deque = new Deque<string>(temporaryDirectory())
  onTestFinished(() => deque.close())
  await deque.extend(items)
  return deque
}

/** When the first of the leases ends, in seconds since the epoch. */
function firstEnd(db: ReturnType<typeof rawDatabase>): number {
  return db.prepare('SELECT MIN(due) FROM Lease').pluck().get() as number
}

describe('items that a process has taken', () => {
  it('come back in their order when it was killed and the lease has ended, not before', async () => {
    const deque = await filled(['a', LARGE, 'c', 'd'])
    const holder = new FixtureProcess(HOLDER, { directory: deque.directory, lease: 4000, count: 3 })
    expect(await holder.line('took')).toBe(`took ${JSON.stringify(['a', LARGE, 'c'])}`)
    expect(await deque.popLeft()).toBe('d')
    const db = rawDatabase(deque.directory)
    const began = firstEnd(db)
    // Longer than the lease: the heartbeat keeps the items.
    await expect.poll(() => firstEnd(db) - began).toBeGreaterThan(2)
    expect(await deque.peekLeft()).toBeUndefined()
    await holder.kill()
    expect(await deque.peekLeft()).toBeUndefined()
    // Each item has a lease of its own: when the last of them has ended, all come back at once.
    const last = db.prepare('SELECT MAX(due) FROM Lease').pluck()
    await expect.poll(() => Date.now() / 1000 - Number(last.get())).toBeGreaterThan(0)
    expect(await deque.peekLeft()).toBe('a')
    expect(await collect(deque)).toEqual(['a', LARGE, 'c'])
    expect(await deque.cache.check()).toEqual([])
  })

  it('are done by one of two processes that both hold them', async () => {
    const deque = await filled(['a'])
    const args = { directory: deque.directory, lease: 500, count: 1 }
    const first = new FixtureProcess(HOLDER, args)
    await first.line('took')
    // Stopped, it cannot extend its lease: it will believe that the item is still its own.
    process.kill(first.pid, 'SIGSTOP')
    await expect.poll(() => deque.peekLeft()).toBe('a')
    const second = new FixtureProcess(HOLDER, { ...args, lease: 60_000 })
    await second.line('took')
    process.kill(first.pid, 'SIGCONT')
    first.send('done')
    expect(await first.line('done')).toBe('done [false]')
    second.send('done')
    expect(await second.line('done')).toBe('done [true]')
    expect(await deque.length()).toBe(0)
    expect(await deque.cache.count()).toBe(0)
  })

  it('are told lost by the signal', async () => {
    const deque = await filled(['a'])
    const holder = new FixtureProcess(HOLDER, { directory: deque.directory, lease: 300, count: 1 })
    await holder.line('took')
    process.kill(holder.pid, 'SIGSTOP')
    await expect.poll(() => deque.popLeft()).toBe('a')
    process.kill(holder.pid, 'SIGCONT')
    const asked = async (): Promise<string> => {
      const from = holder.lines.length
      holder.send('lost?')
      return holder.line('lost', from)
    }
    await expect.poll(asked).toBe('lost [true]')
  })

  it('come back when their lease has ended where they could not be released', async () => {
    const deque = await filled(['a'])
    const holder = new Deque<string>(deque.directory)
    onTestFinished(() => holder.close())
    const item = await holder.take({ lease: 1000 })
    const db = rawDatabase(deque.directory)
    db.exec('BEGIN IMMEDIATE')
    await expect(item?.release({ timeout: 20 })).rejects.toThrow(TimeoutError)
    db.exec('ROLLBACK')
    await expect.poll(() => deque.peekLeft()).toBe('a')
  })

  it('do not keep a process alive, and survive its good end', async () => {
    const deque = await filled(['a', 'b'])
    const holder = new FixtureProcess(HOLDER, { directory: deque.directory, lease: 300, count: 2 })
    await holder.line('took')
    holder.send('close')
    expect(await holder.done()).toContain('closed')
    const back: unknown[] = []
    const backByNow = async (): Promise<unknown[]> => {
      const item = await deque.popLeft()
      if (item !== undefined) back.push(item)
      return [...back].sort()
    }
    await expect.poll(backByNow).toEqual(['a', 'b'])
  })
})

describe('workers that are killed at random', () => {
  it('lose no item: each is worked on, and done by one', async () => {
    const { random } = printedSeed('deque workers')
    const items = Array.from({ length: 300 }, (_, at) => `item ${at}`)
    const deque = await filled(items)
    const index = new Index<number>(temporaryDirectory())
    onTestFinished(() => index.close())
    await index.open()
    const args = { directory: deque.directory, results: index.directory, items: items.length, lease: 400 }
    const all: FixtureProcess[] = []
    const start = (): FixtureProcess => {
      const worker = new FixtureProcess(WORKER, args)
      all.push(worker)
      return worker
    }
    let crew = [start(), start()]
    for (let round = 0; round < 4; round += 1) {
      await crew[0]?.line('done')
      await pause(random() * 150)
      await crew.shift()?.kill()
      crew = [...crew, start()]
    }
    await Promise.all(crew.map(worker => worker.done()))
    const done = all.flatMap(({ lines }) => lines.map(line => line.slice('done '.length)))
    expect(new Set(done).size).toBe(done.length)
    expect((await collect(index.keys())).sort()).toEqual([...items].sort())
    // What a killed worker had marked and not said to be done comes back once more.
    const left: string[] = []
    await expect
      .poll(
        async () => {
          for (let item = await deque.popLeft(); item !== undefined; item = await deque.popLeft()) left.push(item)
          return deque.cache.count()
        },
        { interval: 50 },
      )
      .toBe(0)
    expect(left.filter(item => done.includes(item))).toEqual([])
  })
})
