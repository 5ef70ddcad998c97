import type { ValueIssue } from '../errors.js'
import type { ResolvedModel } from './model.js'
import { check } from './schema.js'

/** A value in the form in which the cache of a model stores it: as given, before the schema transforms it. */
export interface Envelope {
  readonly version: string | number
  readonly value: unknown
  /** Its own time to live, when it differs from that of the model. Sliding expiry needs it. Milliseconds. */
  readonly ttl?: number | null
}

/** The result of opening a stored value. */
export type Opened =
  | { readonly is: 'value'; readonly value: unknown }
  /** `input` is the value to store in its place. */
  | { readonly is: 'migrated'; readonly value: unknown; readonly input: unknown }
  | {
      readonly is: 'misfit'
      readonly reason: 'version' | 'schema' | 'migration'
      readonly issues: readonly ValueIssue[]
      readonly error?: unknown
    }

export function seal(model: ResolvedModel, value: unknown, ttl?: number | null): Envelope {
  return { version: model.version, value, ...(ttl !== undefined && ttl !== model.ttl && { ttl }) }
}

/** The envelope of a stored value. A value that no model stored has no version. */
export function envelopeOf(stored: unknown): Partial<Envelope> & { readonly value: unknown } {
  if (typeof stored === 'object' && stored !== null && Object.hasOwn(stored, 'value')) {
    const { version, value, ttl } = stored as Partial<Envelope>
    const isTtl = ttl === undefined || ttl === null || (typeof ttl === 'number' && ttl >= 0)
    if ((typeof version === 'string' || typeof version === 'number') && isTtl) {
      return { version, value, ...(ttl !== undefined && { ttl }) }
    }
  }
  return { value: stored }
}

/** Opens an envelope of the present version, synchronously with a synchronous schema. `undefined`: another version. */
export function openCurrent(model: ResolvedModel, stored: unknown): Opened | undefined | Promise<Opened> {
  const { version, value } = envelopeOf(stored)
  if (version !== model.version) return undefined
  try {
    const checked = check(model.schema, value)
    return checked instanceof Promise ? checked.then(toOpened, unreadable) : toOpened(checked)
  } catch (error) {
    return unreadable(error)
  }
}

/** Opens an envelope of any version, and migrates its value if needed and possible. */
export async function open(model: ResolvedModel, stored: unknown): Promise<Opened> {
  const current = openCurrent(model, stored)
  if (current !== undefined) return current
  if (!model.migrate) return { is: 'misfit', reason: 'version', issues: [] }
  const { version, value } = envelopeOf(stored)
  try {
    const input = await model.migrate(value, version)
    if (input === undefined) return { is: 'misfit', reason: 'version', issues: [] }
    const checked = await check(model.schema, input)
    if ('issues' in checked) return { is: 'misfit', reason: 'migration', issues: checked.issues }
    return { is: 'migrated', value: checked.value, input }
  } catch (error) {
    return { is: 'misfit', reason: 'migration', issues: [], error }
  }
}

/** Treats an exception of the schema as a misfit, since schemas and transformations may throw at unknown values. */
function unreadable(error: unknown): Opened {
  return { is: 'misfit', reason: 'schema', issues: [], error }
}

function toOpened(checked: Awaited<ReturnType<typeof check>>): Opened {
  if ('issues' in checked) return { is: 'misfit', reason: 'schema', issues: checked.issues }
  return { is: 'value', value: checked.value }
}
