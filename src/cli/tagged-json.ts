import { types } from 'node:util'
import { lostNumber, lostNumberText, VIEWS } from '../engine/for-cli.js'
import { UsageError } from './exit-codes.js'

/*
 * Tagged JSON for values beyond JSON: an object with one property whose name begins with `$`. A plain object of that
 * form is wrapped in `$object`. docs/command-line.md lists the tags.
 */

/** A value that `JSON.stringify` writes unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

const DEEPEST = 1000

/** The kinds of views by name. Of this Node: Float16Array came with version 24. */
const ARRAYS: ReadonlyMap<string, new (buffer: ArrayBuffer) => object> = new Map(
  VIEWS.flatMap(View => (View === undefined || View === Uint8Array ? [] : [[View.name, View]])),
)

/**
 * Converts a value to JSON that `fromTagged` converts back to an equal value.
 *
 * @throws UsageError for circular values and for nesting beyond 1,000 levels
 */
export function toTagged(value: unknown): Json {
  return tagged(value, [])
}

function tagged(value: unknown, above: readonly object[]): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? '-0' : `${value}` }
    case 'bigint':
      return { $bigint: `${value}` }
    case 'object':
      return value === null ? null : taggedObject(value, above)
    default:
      return { $undefined: true }
  }
}

function taggedObject(value: object, above: readonly object[]): Json {
  const scalar = taggedScalar(value)
  if (scalar !== undefined) return scalar
  if (above.includes(value))
    throw new UsageError('the value holds itself, which JSON cannot say; export keeps it as it is')
  if (above.length >= DEEPEST) throw new UsageError(`the value is nested more than ${DEEPEST} deep, too deep for JSON`)
  const path = [...above, value]
  if (Array.isArray(value)) return Array.from(value, item => tagged(item, path))
  if (types.isMap(value)) return { $map: Array.from(value, ([key, item]) => [tagged(key, path), tagged(item, path)]) }
  if (types.isSet(value)) return { $set: Array.from(value, item => tagged(item, path)) }
  const plain = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, tagged(item, path)]))
  return isTag(plain) ? { $object: plain } : plain
}

function taggedScalar(value: object): Json | undefined {
  if (types.isUint8Array(value)) return { $bytes: base64(value) }
  if (types.isAnyArrayBuffer(value)) return { $array: ['ArrayBuffer', base64(new Uint8Array(value))] }
  if (ArrayBuffer.isView(value)) {
    return {
      $array: [value.constructor.name, base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))],
    }
  }
  if (types.isDate(value)) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
  if (types.isRegExp(value)) return { $regexp: [value.source, value.flags] }
  if (types.isNativeError(value)) return { $error: { name: value.name, message: value.message } }
  if (types.isBoxedPrimitive(value)) return tagged((value as { valueOf(): unknown }).valueOf(), [])
  return undefined
}

/** Converts tagged JSON to its value. @throws UsageError for unknown tags and wrong contents */
function fromTagged(json: Json): unknown {
  if (Array.isArray(json)) return json.map(fromTagged)
  if (typeof json !== 'object' || json === null) return json
  const record = json as Readonly<Record<string, Json>>
  if (!isTag(record)) return untagged(record)
  const [[name, content] = ['', null]] = Object.entries(record)
  const read = READERS[name]
  if (!read) {
    throw new UsageError(
      `unknown tag ${name}; known are ${Object.keys(READERS).join(', ')}; write {"$object":{…}} for an object`,
    )
  }
  return read(content)
}

function untagged(record: Readonly<Record<string, Json>>): object {
  return Object.fromEntries(Object.entries(record).map(([name, item]) => [name, fromTagged(item)]))
}

const READERS: Readonly<Record<string, (content: Json) => unknown>> = {
  $bytes: content => bytesOf(content, '$bytes'),
  $bigint: content => attempt('$bigint', 'a whole number as text', () => BigInt(textOf(content, '$bigint'))),
  $number: content => {
    const text = textOf(content, '$number')
    if (['NaN', 'Infinity', '-Infinity', '-0'].includes(text)) return Number(text)
    throw wrong('$number', "'NaN', 'Infinity', '-Infinity' or '-0'")
  },
  $date: content => {
    if (content === null) return new Date(Number.NaN)
    const date = new Date(textOf(content, '$date'))
    if (Number.isNaN(date.getTime())) throw wrong('$date', 'an ISO date, or null')
    return date
  },
  $map: content => new Map(listOf(content, '$map').map(pair => pairOf(pair))),
  $set: content => new Set(listOf(content, '$set').map(fromTagged)),
  $undefined: () => undefined,
  $regexp: content => {
    const [source, flags] = listOf(content, '$regexp')
    return attempt('$regexp', '[source, flags]', () => new RegExp(textOf(source, '$regexp'), textOf(flags, '$regexp')))
  },
  $error: content => errorOf(content),
  $array: content => arrayOf(content),
  $object: content => {
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
      return untagged(content as Readonly<Record<string, Json>>)
    }
    throw wrong('$object', 'an object')
  },
}

function isTag(record: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(record)
  return names.length === 1 && names[0]?.startsWith('$') === true
}

function pairOf(pair: Json): [unknown, unknown] {
  const [key, value, ...rest] = listOf(pair, '$map')
  if (key === undefined || value === undefined || rest.length > 0) throw wrong('$map', 'pairs [key, value]')
  return [fromTagged(key), fromTagged(value)]
}

function errorOf(content: Json): Error {
  const { name, message } = Object(content) as { readonly name?: unknown; readonly message?: unknown }
  const error = new Error(textOf(message, '$error'))
  error.name = textOf(name, '$error')
  return error
}

function arrayOf(content: Json): unknown {
  const [type, data] = listOf(content, '$array')
  const bytes = new Uint8Array(bytesOf(data, '$array'))
  if (type === 'ArrayBuffer') return bytes.buffer
  const name = textOf(type, '$array')
  const View = ARRAYS.get(name)
  if (!View) throw wrong('$array', `[type, base64] with a type of ${[...ARRAYS.keys()].join(', ')}`)
  return attempt('$array', 'bytes of whole elements', () => new View(bytes.buffer))
}

function listOf(content: Json, tag: string): readonly Json[] {
  if (Array.isArray(content)) return content
  throw wrong(tag, 'an array')
}

function textOf(content: unknown, tag: string): string {
  if (typeof content === 'string') return content
  throw wrong(tag, 'text')
}

function bytesOf(content: unknown, tag: string): Buffer {
  const text = textOf(content, tag)
  const bytes = Buffer.from(text, 'base64')
  // Buffer ignores characters that are no base64.
  if (base64(bytes).replace(/=+$/, '') !== text.replace(/=+$/, '')) throw wrong(tag, 'base64')
  return bytes
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function attempt<T>(tag: string, expected: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw wrong(tag, expected)
  }
}

function wrong(tag: string, expected: string): UsageError {
  return new UsageError(`${tag} must hold ${expected}`)
}

/** Parses JSON whose numbers are kept as they are. @throws UsageError that names `what` was parsed */
export function parseJson(text: string, what: string): Json {
  let json: Json
  try {
    json = JSON.parse(text) as Json
  } catch (error) {
    throw new UsageError(`${what} must be JSON: ${(error as Error).message}`, { cause: error })
  }
  // Another key or value than the one that was meant would be read, stored or deleted.
  const lost = lostNumber(text)
  if (lost !== undefined) throw new UsageError(`${what}: ${lostNumberText(lost)}`)
  return json
}

/** Parses tagged JSON. @throws UsageError that names `what` was parsed */
export function parseTagged(text: string, what: string): unknown {
  const json = parseJson(text, what)
  if (isDeeper(json)) throw new UsageError(`${what} is nested more than ${DEEPEST} deep`)
  return fromTagged(json)
}

/** Whether JSON is nested too deeply for a recursive reader. Checked level by level. */
function isDeeper(json: Json): boolean {
  let level: readonly Json[] = [json]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true
    level = level.flatMap(item => (typeof item === 'object' && item !== null ? Object.values(item) : []))
  }
  return false
}
