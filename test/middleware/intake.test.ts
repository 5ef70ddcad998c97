import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Intake } from '../../src/middleware/intake.js'
import { nextTurn } from '../helpers/gate.js'

const CHUNK = 2 ** 20
const CHUNKS = 4
/** More turns of the loop than it takes. */
const TURNS = 200

/** The bytes that a reader gets which asks for each chunk so many microtasks after the one before. */
async function readBy(delay: number): Promise<number> {
  const source = Readable.from(Array.from({ length: CHUNKS }, () => Buffer.alloc(CHUNK)))
  const intake = new Intake(source, { file: undefined, limit: 0, size: undefined, onSpill: () => undefined })
  const body = intake.read(intake.join())
  let got = 0
  const reading = (async () => {
    for (;;) {
      for (let at = 0; at < delay; at++) await undefined
      const { value } = await body.next()
      if (!value) return
      got += value.byteLength
    }
  })()
  let isOver = false
  void reading.then(() => {
    isOver = true
  })
  for (let turn = 0; turn < TURNS && !isOver; turn++) await nextTurn()
  return got
}

describe('a file that is not stored', () => {
  it('is passed on whole, at whatever moment its reader asks for more', async () => {
    const delays = Array.from({ length: 20 }, (_, delay) => delay)
    const got: number[] = []
    for (const delay of delays) got.push(await readBy(delay))
    expect(got).toEqual(delays.map(() => CHUNKS * CHUNK))
  })
})
