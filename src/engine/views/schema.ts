import type { StandardSchemaV1 } from '@standard-schema/spec'
import { formatPath, isThenable } from '../disk/describe.js'
import type { ValueIssue } from '../errors.js'
import { kindOf } from '../option-names.js'

/** `get` could not tell `undefined` from a miss. */
const MISSING: readonly ValueIssue[] = [{ path: 'value', message: 'the schema makes undefined of it, which is a miss' }]

/** The result of checking a value with a schema. */
export type Checked<Output> = { readonly value: Output } | { readonly issues: readonly ValueIssue[] }

/** @throws TypeError when it is no Standard Schema. Source: standardschema.dev, version 1 */
export function checkSchema(schema: unknown): asserts schema is StandardSchemaV1 {
  const isCarrier = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  const standard: unknown = isCarrier ? (schema as { readonly '~standard'?: unknown })['~standard'] : undefined
  if (typeof standard === 'object' && standard !== null) {
    const { version, validate } = standard as { readonly version?: unknown; readonly validate?: unknown }
    if (version === 1 && typeof validate === 'function') return
  }
  throw new TypeError(
    `schema must be a Standard Schema, as zod, valibot, arktype and others make them, got ${kindOf(schema)}`,
  )
}

/** Checks a value with a schema, synchronously when the schema is, so that calls keep their order. */
export function check<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
): Checked<Output> | Promise<Checked<Output>> {
  const result = schema['~standard'].validate(value)
  return isThenable(result) ? Promise.resolve(result).then(toChecked) : toChecked(result)
}

function toChecked<Output>(result: StandardSchemaV1.Result<Output>): Checked<Output> {
  if (result.issues !== undefined) return { issues: result.issues.map(toIssue) }
  return result.value === undefined ? { issues: MISSING } : { value: result.value }
}

function toIssue({ message, path = [] }: StandardSchemaV1.Issue): ValueIssue {
  // Not `map`: a subclass of Array, such as that of arktype, may not be constructible like one.
  const steps = Array.from(path, step => {
    const key = typeof step === 'object' ? step.key : step
    return typeof key === 'symbol' ? String(key) : key
  })
  return { path: formatPath('value', steps), message }
}
