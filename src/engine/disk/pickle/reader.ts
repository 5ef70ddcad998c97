import { DecodeError } from '../../errors.js'
import { CONTAINERS } from './containers.js'
import { GLOBALS } from './globals.js'
import { type Instruction, PickleMachine } from './machine.js'
import { OP } from './opcodes.js'
import { SCALARS } from './scalars.js'

const HIGHEST_PROTOCOL = 5
const MAX_DEPTH = 1000

const FRAMING: readonly (readonly [number, Instruction])[] = [
  [OP.proto, readProtocol],
  // Frames help readers of files and have no use here. Still, the input must contain the whole frame.
  [OP.frame, machine => machine.demand(machine.length64())],
]

const INSTRUCTIONS: readonly (Instruction | undefined)[] = table([...FRAMING, ...SCALARS, ...CONTAINERS, ...GLOBALS])

/**
 * Reads a pickle of any protocol (0–5) as data: None → null, tuple and list → array, dict → plain object or, when a key
 * is no string, Map; set and frozenset → Set, bytes and bytearray → Buffer, int → number or bigint. Bytes after the
 * end are ignored, as Python does.
 *
 * A pickle cannot run code: a class is refused unless it is one of the data classes in `globals.ts`, and these are
 * built by our own code.
 *
 * @throws {DecodeError} for all other input; time and memory are proportional to the length of the input
 */
export function readPickle(bytes: Buffer): unknown {
  const mixed = new Set<number>()
  try {
    const value = run(bytes, mixed)
    // A dict may get a key that is no string after other values, or even itself, refer to it. The second run creates
    // the same dicts in the same order and therefore knows which must be Maps.
    return mixed.size === 0 ? value : run(bytes, mixed)
  } catch (error) {
    if (error instanceof DecodeError) throw error
    throw new DecodeError('a pickle holds more than JavaScript can', { cause: error })
  }
}

function run(bytes: Buffer, mixed: Set<number>): unknown {
  const machine = new PickleMachine(bytes, mixed)
  for (let code = machine.uint8(); code !== OP.stop; code = machine.uint8()) {
    const instruction = INSTRUCTIONS[code]
    if (instruction === undefined)
      throw new DecodeError(`a pickle holds the opcode 0x${code.toString(16)}, which is no data`)
    instruction(machine)
  }
  const value = machine.popData()
  if (machine.containers > MAX_DEPTH && isDeep(value)) throw new DecodeError('a pickle is nested too deeply')
  return value
}

function readProtocol(machine: PickleMachine): void {
  const protocol = machine.uint8()
  if (protocol > HIGHEST_PROTOCOL) throw new DecodeError(`a pickle has the unknown protocol ${protocol}`)
}

function table(entries: readonly (readonly [number, Instruction])[]): (Instruction | undefined)[] {
  const instructions = new Array<Instruction | undefined>(256).fill(undefined)
  for (const [code, instruction] of entries) instructions[code] = instruction
  return instructions
}

interface Visit {
  readonly container: object
  readonly parts: readonly unknown[]
  next: number
  depth: number
}

/** Whether the value is nested deeper than recursive programs support. Cycles do not count. */
function isDeep(root: unknown): boolean {
  // 0 as long as a container is on the path.
  const depths = new Map<object, number>()
  const path: Visit[] = []
  const enter = (part: object): void => {
    depths.set(part, 0)
    path.push({ container: part, parts: partsOf(part), next: 0, depth: 1 })
  }
  if (isContainer(root)) enter(root)
  for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
    if (visit.depth > MAX_DEPTH || path.length > MAX_DEPTH) return true
    if (visit.next < visit.parts.length) {
      const part = visit.parts[visit.next++]
      if (!isContainer(part)) continue
      const known = depths.get(part)
      if (known === undefined) enter(part)
      else visit.depth = Math.max(visit.depth, known + 1)
    } else {
      depths.set(visit.container, visit.depth)
      path.pop()
      const parent = path.at(-1)
      if (parent !== undefined) parent.depth = Math.max(parent.depth, visit.depth + 1)
    }
  }
  return false
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value)
}

function partsOf(container: object): readonly unknown[] {
  if (Array.isArray(container)) return container
  if (container instanceof Map) return [...container].flat()
  if (container instanceof Set) return [...container]
  return Object.values(container)
}
