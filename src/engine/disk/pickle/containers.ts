import { DecodeError } from '../../errors.js'
import type { Instruction, PickleMachine } from './machine.js'
import { OP } from './opcodes.js'

/** The opcodes that build containers and move the stack. */
export const CONTAINERS: readonly (readonly [number, Instruction])[] = [
  [OP.mark, machine => machine.mark()],
  [OP.pop, pop],
  [OP.popMark, machine => void machine.popToMark()],
  [OP.dup, machine => machine.push(machine.top())],
  [OP.put, machine => machine.memoize(index(machine))],
  [OP.binput, machine => machine.memoize(machine.uint8())],
  [OP.longBinput, machine => machine.memoize(machine.uint32())],
  [OP.memoize, machine => machine.memoize()],
  [OP.get, machine => machine.pushMemo(index(machine))],
  [OP.binget, machine => machine.pushMemo(machine.uint8())],
  [OP.longBinget, machine => machine.pushMemo(machine.uint32())],
  [OP.emptyList, machine => pushContainer(machine, [])],
  [OP.list, machine => pushContainer(machine, machine.popToMark())],
  [OP.append, machine => extend(machine, [machine.popData()])],
  [OP.appends, machine => extend(machine, machine.popToMark())],
  // Tuples become arrays as well.
  [OP.emptyTuple, machine => pushContainer(machine, [])],
  [OP.tuple1, machine => pushTuple(machine, 1)],
  [OP.tuple2, machine => pushTuple(machine, 2)],
  [OP.tuple3, machine => pushTuple(machine, 3)],
  [OP.tuple, machine => pushContainer(machine, machine.popToMark())],
  [OP.emptyDict, machine => machine.push(machine.newDict())],
  [OP.dict, pushDict],
  [OP.setitem, setItem],
  [OP.setitems, machine => setItems(machine, machine.popToMark())],
  [OP.emptySet, machine => pushContainer(machine, new Set())],
  [OP.additems, addItems],
  [OP.frozenset, machine => pushContainer(machine, new Set(machine.popToMark()))],
]

function pushContainer(machine: PickleMachine, container: object): void {
  machine.containers++
  machine.push(container)
}

/** The opcode POP, which also removes a mark when nothing lies above it. */
function pop(machine: PickleMachine): void {
  if (machine.isAtMark()) machine.popToMark()
  else machine.pop()
}

function extend(machine: PickleMachine, items: readonly unknown[]): void {
  const list = machine.top()
  if (!Array.isArray(list)) throw new DecodeError('a pickle appends to what is no list')
  for (const item of items) list.push(item)
}

function pushTuple(machine: PickleMachine, length: number): void {
  const items: unknown[] = []
  for (let at = 0; at < length; at++) items.push(machine.popData())
  pushContainer(machine, items.reverse())
}

function pushDict(machine: PickleMachine): void {
  const items = machine.popToMark()
  machine.push(machine.newDict())
  setItems(machine, items)
}

function setItem(machine: PickleMachine): void {
  const value = machine.popData()
  const key = machine.popData()
  machine.setItem(machine.top(), key, value)
}

function setItems(machine: PickleMachine, items: readonly unknown[]): void {
  if (items.length % 2 === 1) throw new DecodeError('a pickle sets a key without value')
  const dict = machine.top()
  for (let at = 0; at < items.length; at += 2) machine.setItem(dict, items[at], items[at + 1])
}

function addItems(machine: PickleMachine): void {
  const items = machine.popToMark()
  const set = machine.top()
  if (!(set instanceof Set)) throw new DecodeError('a pickle adds to what is no set')
  for (const item of items) set.add(item)
}

function index(machine: PickleMachine): number {
  const line = machine.line()
  if (!/^\d{1,10}$/.test(line)) throw new DecodeError('a pickle numbers an object with what is no number')
  return Number(line)
}
