import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeAll, describe, expect, it } from 'vitest'
import { Job } from '../../src/engine/database/job.js'
import { keepShape } from '../../src/engine/kept-shapes.js'
import { Place, WaitingLine } from '../../src/engine/recipes/waiting-line.js'

type Read<T> = (made: T) => unknown

/** V8 forgets a shape some collections after the last object of it. */
const COLLECTIONS = 4

let collectGarbage: () => void
let compile: (make: () => object, read: Read<never>) => void
let isCompiled: (read: Read<never>) => boolean

beforeAll(() => {
  setFlagsFromString('--expose-gc')
  setFlagsFromString('--allow-natives-syntax')
  collectGarbage = runInNewContext('gc') as typeof collectGarbage
  compile = new Function(
    'make',
    'read',
    `for (let made = 0; made < 50; made++) make();
    %PrepareFunctionForOptimization(read); read(make()); read(make()); %OptimizeFunctionOnNextCall(read); read(make())`,
  ) as typeof compile
  const status = new Function('read', 'return %GetOptimizationStatus(read)') as (read: Read<never>) => number
  const compiled = compiledBits(status)
  isCompiled = read => (status(read) & compiled) !== 0
})

/** The bits of the status that a function gets when it is compiled. They differ between versions of V8. */
function compiledBits(status: (read: Read<never>) => number): number {
  const exemplar = { value: 1 }
  const read: Read<typeof exemplar> = made => made.value
  read(exemplar)
  const before = status(read)
  compile(() => exemplar, read)
  return status(read) & ~before
}

/** Whether code that was compiled for the objects of `make` is there after collections that leave none of them. */
async function survives<T extends object>(make: () => T, read: Read<T>): Promise<boolean> {
  compile(make, read)
  expect(isCompiled(read)).toBe(true)
  for (let collection = 0; collection < COLLECTIONS; collection++) {
    await turn()
    collectGarbage()
  }
  return isCompiled(read)
}

describe('code that was compiled for short-lived objects', () => {
  it('is lost in a garbage collection that leaves none of them', async () => {
    class Forgotten {
      value = 1
    }
    expect(
      await survives(
        () => new Forgotten(),
        made => made.value,
      ),
    ).toBe(false)
  })

  it('stays when one of them is kept', async () => {
    class Kept {
      value = 1
    }
    keepShape(new Kept())
    expect(
      await survives(
        () => new Kept(),
        made => made.value,
      ),
    ).toBe(true)
  })

  it('stays for jobs of the writer', async () => {
    const nothing = (): undefined => undefined
    const make = (): Job => new Job({ run: nothing }, { deadline: 1.5 }, nothing, nothing)
    expect(await survives(make, job => job.bytes)).toBe(true)
  })

  it('stays for the places of those who wait for a lock', async () => {
    expect(
      await survives(
        () => new Place(new WaitingLine()),
        place => place.isFirst,
      ),
    ).toBe(true)
    expect(
      await survives(
        () => new WaitingLine(),
        line => line.empty,
      ),
    ).toBe(true)
  })
})
