import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MemoryStats } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { type Operation, violations } from './support/read-history.js'

const USER = new URL('./fixtures/memory-user.mjs', import.meta.url)
const PROCESSES = 4
const KEYS = 50
const MILLISECONDS = 1500
/** Writes of a hundred operations: few, and so many that reads go past the memory. */
const WRITES = [4, 50]

describe('memory of several processes', () => {
  it.each(WRITES)(
    'shows nobody an older value than before, nor misses what was finished a turn ago, with %i writes in a hundred operations',
    async writes => {
      const directory = temporaryDirectory()
      const logs = Array.from({ length: PROCESSES }, (_, at) => join(directory, `history-${at}.json`))
      const users = logs.map((log, at) => {
        const mode = at % 2 === 0 ? 'copy' : 'frozen'
        const cache = join(directory, 'cache')
        return new FixtureProcess(USER, {
          process: at,
          directory: cache,
          log,
          milliseconds: MILLISECONDS,
          keys: KEYS,
          mode,
          writes,
        })
      })
      for (const user of users) await user.line('ready')
      for (const user of users) user.send('go')
      const memories = await Promise.all(
        users.map(async user => JSON.parse((await user.line('done')).slice(5)) as MemoryStats),
      )
      const history = logs.flatMap(log => JSON.parse(readFileSync(log, 'utf8')) as Operation[])
      expect(violations(history)).toEqual([])
      const reads = history.filter(({ kind }) => kind === 'read').length
      const hits = memories.reduce((sum, memory) => sum + memory.hits, 0)
      // It was memory that answered, or it was passed by; and there was something to miss.
      if (writes === WRITES[0]) expect(hits).toBeGreaterThan(reads / 10)
      expect(hits).toBeLessThan(reads)
      expect(history.length - reads).toBeGreaterThan(200)
      expect(history.some(({ kind, value }) => kind === 'read' && value === null)).toBe(true)
    },
  )
})

describe('the checker of histories', () => {
  const write = (value: number, called: number, returned: number): Operation => {
    return { process: 1, kind: 'write', key: 'k', value, called, returned }
  }
  const read = (value: number | null, called: number, since = called, process = 2): Operation => {
    return { process, kind: 'read', key: 'k', value, called, returned: called + 1, since }
  }
  const histories: readonly (readonly [string, readonly Operation[], RegExp | undefined])[] = [
    [
      'accepts reads in order',
      [write(1, 0, 5), write(2, 10, 15), read(null, 1, 0, 3), read(1, 12), read(2, 13)],
      undefined,
    ],
    [
      'accepts that a read misses what was finished within its turn',
      [write(2, 0, 5), write(4, 6, 9), read(2, 10, 8)],
      undefined,
    ],
    ['accepts a miss after a removal', [write(2, 0, 5), write(3, 6, 9), read(null, 12)], undefined],
    ['accepts a miss while a removal is under way', [write(2, 0, 5), write(3, 6, 20), read(null, 12)], undefined],
    [
      'finds a value older than one seen before',
      [write(1, 0, 5), write(2, 6, 90), read(2, 10), read(1, 12)],
      /read 1 after it had seen 2/,
    ],
    ['finds a value older than an own write', [write(1, 0, 5), write(2, 6, 9), read(1, 12, 0, 1)], /read 1 after/],
    [
      'finds a read that misses a finished write',
      [write(2, 0, 5), write(4, 6, 9), read(2, 20, 12)],
      /though 4 was finished/,
    ],
    ['finds a miss of what is there', [write(2, 0, 5), read(null, 20, 12)], /missed, though 2/],
    [
      'finds a miss from before what was seen',
      [write(1, 0, 5), write(2, 6, 9), read(2, 11), read(null, 20, 0)],
      /missed/,
    ],
    ['finds a value from the future', [write(2, 20, 25), read(2, 10)], /before it was written/],
  ]

  it.each(histories)('%s', (_title, history, found) => {
    const sentences = violations(history)
    if (found === undefined) expect(sentences).toEqual([])
    else expect(sentences.join()).toMatch(found)
  })
})
