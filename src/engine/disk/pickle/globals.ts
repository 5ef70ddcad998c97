import { DecodeError } from '../../errors.js'
import { ownBytes } from '../copy-buffers.js'
import { dateText, datetimeText, offsetText, secondsOf, timeText } from './date-times.js'
import { type Instruction, NotData, type PickleMachine, wrongParts } from './machine.js'
import { OP } from './opcodes.js'

type Construct = (args: readonly unknown[], machine: PickleMachine) => unknown

/** A class that a pickle names. It can only be called, and the call runs our own code. */
class DataClass extends NotData {
  readonly name: string
  readonly construct: Construct

  constructor(name: string, construct: Construct) {
    super()
    this.name = name
    this.construct = construct
  }
}

/**
 * The data classes that pickles may name, and the functions that build their values. No other class is ever looked up,
 * and no code of the pickle is run.
 */
const ALLOWED: ReadonlyMap<string, DataClass> = new Map(
  (
    [
      // These have no opcodes up to protocol 3. Python uses the names of Python 2 up to protocol 2.
      ['builtins.set', setOf],
      ['builtins.frozenset', setOf],
      ['builtins.bytearray', bytesOf],
      ['builtins.bytes', bytesOf],
      ['_codecs.encode', bytesOf],
      ['collections.OrderedDict', orderedDict],
      ['diskcache.core.Constant', constant],
      // As ISO 8601 text, which keeps the microseconds and whether there was a time zone; a duration in seconds.
      ['datetime.date', dateText],
      ['datetime.time', timeText],
      ['datetime.datetime', datetimeText],
      ['datetime.timedelta', secondsOf],
      ['datetime.timezone', offsetText],
      ['decimal.Decimal', decimal],
    ] satisfies [string, Construct][]
  ).map(([name, construct]) => [name, new DataClass(name, construct)]),
)

/** The opcodes that name classes and call them. */
export const GLOBALS: readonly (readonly [number, Instruction])[] = [
  [OP.global, machine => pushGlobal(machine, machine.line(), machine.line())],
  [
    OP.stackGlobal,
    machine => {
      const name = machine.pop()
      pushGlobal(machine, machine.pop(), name)
    },
  ],
  [OP.reduce, call],
  [OP.newobj, call],
]

function pushGlobal(machine: PickleMachine, module: unknown, name: unknown): void {
  if (typeof module !== 'string' || typeof name !== 'string') {
    throw new DecodeError('a pickle names a class by what is no text')
  }
  const full = `${module === '__builtin__' ? 'builtins' : module}.${name}`
  const found = ALLOWED.get(full)
  if (found === undefined) throw new DecodeError(`a pickle asks for ${full.slice(0, 200)}, and only data is read`)
  machine.push(found)
}

function call(machine: PickleMachine): void {
  const args = machine.pop()
  const called = machine.pop()
  if (!(called instanceof DataClass)) throw new DecodeError('a pickle calls what is no class')
  if (!Array.isArray(args)) throw wrongParts(called.name)
  machine.push(called.construct(args, machine))
}

function setOf(args: readonly unknown[], machine: PickleMachine): Set<unknown> {
  const [items = []] = args
  if (!Array.isArray(items)) throw wrongParts('set')
  machine.containers++
  machine.charge(items.length)
  return new Set(items)
}

/** `bytes()`, `bytearray(b'…')`, `_codecs.encode('…', 'latin1')`, `bytearray('…', 'latin-1')`. */
function bytesOf(args: readonly unknown[], machine: PickleMachine): Buffer {
  const [content = Buffer.alloc(0), encoding] = args
  if (Buffer.isBuffer(content) && encoding === undefined) {
    machine.charge(content.length)
    return ownBytes(content)
  }
  if (typeof content !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) throw wrongParts('bytes')
  machine.charge(content.length)
  const bytes = Buffer.alloc(content.length)
  for (let at = 0; at < content.length; at++) {
    const code = content.charCodeAt(at)
    if (code > 255) throw wrongParts('bytes')
    bytes[at] = code
  }
  return bytes
}

/** An OrderedDict. Its items follow by SETITEMS; Python 2 passes them as a list of pairs. */
function orderedDict(args: readonly unknown[], machine: PickleMachine): unknown {
  const [pairs = []] = args
  if (!Array.isArray(pairs)) throw wrongParts('OrderedDict')
  machine.charge(pairs.length)
  const dict = machine.newDict()
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrongParts('OrderedDict')
    machine.setItem(dict, pair[0], pair[1])
  }
  return dict
}

/** `ENOVAL`, which memoize_stampede puts at the end of its keys. */
function constant(args: readonly unknown[]): unknown {
  const [inner] = args
  const name = Array.isArray(inner) ? inner[0] : inner
  if (typeof name !== 'string') throw wrongParts('Constant')
  return Object.freeze({ constant: name })
}

/** A Decimal, as text with all digits. */
function decimal(args: readonly unknown[]): unknown {
  if (typeof args[0] !== 'string') throw wrongParts('Decimal')
  return args[0]
}
