/**
 * Values between the tests and Python, as JSON that keeps what JSON drops: bytes as base64, whole numbers as decimal
 * text, floats as their repr, tuples and sets by name.
 */
export type Wire =
  | readonly ['none']
  | readonly ['bool', boolean]
  | readonly ['int' | 'float' | 'str' | 'bytes', string]
  | readonly ['list' | 'tuple' | 'set' | 'frozenset', readonly Wire[]]
  | readonly ['dict', readonly (readonly [Wire, Wire])[]]
  /** Something that has no name here, by its type and repr. */
  | readonly ['other', string]

/** A value of Python that no value of JavaScript stands for: 1.0, a tuple. */
export class PythonValue {
  readonly wire: Wire

  constructor(wire: Wire) {
    this.wire = wire
  }
}

/** A float, by its repr. */
export function float(repr: string): PythonValue {
  return new PythonValue(['float', repr])
}

export function tuple(...items: readonly unknown[]): PythonValue {
  return new PythonValue(['tuple', items.map(toWire)])
}

export function toWire(value: unknown): Wire {
  if (value === null || value === undefined) return ['none']
  switch (typeof value) {
    case 'boolean':
      return ['bool', value]
    case 'bigint':
      return ['int', value.toString()]
    case 'string':
      return ['str', value]
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? ['int', String(value)] : ['float', floatRepr(value)]
    case 'object':
      return objectToWire(value)
    default:
      throw new TypeError(`no value of Python stands for a ${typeof value}`)
  }
}

function objectToWire(value: object): Wire {
  if (value instanceof PythonValue) return value.wire
  if (value instanceof Uint8Array) return ['bytes', Buffer.from(value).toString('base64')]
  if (Array.isArray(value)) return ['list', value.map(toWire)]
  if (value instanceof Set) return ['set', [...value].map(toWire)]
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value)
  return ['dict', entries.map(([key, item]) => [toWire(key), toWire(item)] as const)]
}

function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  return Object.is(value, -0) ? '-0.0' : String(value)
}

/** What a test compares: tuples as arrays, dicts as plain objects if all keys are strings, whole numbers by their size. */
export function fromWire(wire: Wire): unknown {
  switch (wire[0]) {
    case 'none':
      return null
    case 'bool':
      return wire[1]
    case 'int':
      return Number.isSafeInteger(Number(wire[1])) ? Number(wire[1]) : BigInt(wire[1])
    case 'float':
      return { inf: Infinity, '-inf': -Infinity, nan: Number.NaN }[wire[1]] ?? Number(wire[1])
    case 'str':
      return wire[1]
    case 'bytes':
      return Buffer.from(wire[1], 'base64')
    case 'list':
    case 'tuple':
      return wire[1].map(fromWire)
    case 'set':
    case 'frozenset':
      return new Set(wire[1].map(fromWire))
    case 'dict':
      return dictFromWire(wire[1])
    case 'other':
      return new PythonValue(wire)
  }
}

function dictFromWire(pairs: readonly (readonly [Wire, Wire])[]): unknown {
  const entries = pairs.map(([key, item]) => [fromWire(key), fromWire(item)] as const)
  return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : new Map(entries)
}
