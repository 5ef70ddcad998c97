import { expect, it } from 'vitest'
import { inTurn } from '../../../src/engine/disk/file-turns.js'
import { Gate, nextTurn } from '../../helpers/gate.js'

/** How many of two hundred tasks have a file open at once, if there may be no more than `most`. */
async function openAtOnce(most: number): Promise<number> {
  let open = 0
  let greatest = 0
  const gate = new Gate()
  const task = async (): Promise<void> => {
    if (open >= most) throw Object.assign(new Error('too many open files'), { code: 'EMFILE', syscall: 'open' })
    open++
    greatest = Math.max(greatest, open)
    await gate.opened
    open--
  }
  const tasks = Array.from({ length: 200 }, () => inTurn(task))
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  gate.open()
  await Promise.all(tasks)
  return greatest
}

it('opens as many files at once as before when there were too few descriptors for a while', async () => {
  expect(await openAtOnce(Number.POSITIVE_INFINITY)).toBe(64)
  expect(await openAtOnce(10)).toBe(10)
  expect(await openAtOnce(Number.POSITIVE_INFINITY)).toBe(64)
})
