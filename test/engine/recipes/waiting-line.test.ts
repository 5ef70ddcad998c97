import { expect, it } from 'vitest'
import { WaitingLine } from '../../../src/engine/recipes/waiting-line.js'
import { nextTurn } from '../../helpers/gate.js'

it('keeps the order of those who stay when others leave from anywhere', () => {
  const line = new WaitingLine()
  const places = Array.from({ length: 7 }, () => line.enter())
  for (const at of [3, 0, 6, 4]) places[at]?.leave()
  places.push(line.enter())
  const order: number[] = []
  while (!line.empty) {
    const first = places.findIndex(place => place.isFirst)
    order.push(first)
    places[first]?.leave()
  }
  expect(order).toEqual([1, 2, 5, 7])
  expect(line.enter().isFirst).toBe(true)
})

it('does not let the first one pause who was nudged after its look', async () => {
  const line = new WaitingLine()
  const [first, second] = [line.enter(), line.enter()]
  const outcome = (place: typeof first): Promise<string> =>
    Promise.race([place.pause(60_000).then(() => 'looks again'), nextTurn().then(() => 'pauses')])
  first.look()
  line.nudge()
  expect([await outcome(first), await outcome(second)]).toEqual(['looks again', 'pauses'])
  first.look()
  expect(await outcome(first)).toBe('pauses')
  line.nudge()
  second.wake()
})

it('lets a hundred thousand leave from its end without a search for each', () => {
  const line = new WaitingLine()
  const places = Array.from({ length: 200_000 }, () => line.enter())
  const before = process.cpuUsage()
  for (const place of places.reverse()) place.leave()
  // It takes hundredths of a second of the processor; searches take more than ten.
  expect(process.cpuUsage(before).user).toBeLessThan(3e6)
  expect(line.empty).toBe(true)
})
