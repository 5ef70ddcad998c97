import { InvalidValueError } from '../errors.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { ComputeContext, Computing, Key, Storing, Waiting } from '../options.js'
import { milliseconds } from '../time.js'
import { type Envelope, open, seal } from './envelope.js'
import type { ResolvedModel } from './model.js'
import { type Checked, check } from './schema.js'

const WAITING = ['retry', 'timeout', 'signal']
const STORING = [...WAITING, 'ttl', 'tag', 'tags']
const OPTIONS: Readonly<Record<'waiting' | 'storing' | 'computing', ReadonlySet<string>>> = {
  waiting: new Set(WAITING),
  storing: new Set(STORING),
  computing: new Set([...STORING, 'staleFor', 'beta', 'lease']),
}

/** Checks the options of a verb of a model. @throws TypeError for a value that is no object, and for unknown options */
export function checkModelOptions(options: unknown, verb: string, kind: keyof typeof OPTIONS): void {
  checkOptionsObject(options, verb)
  checkOptionNames(options, OPTIONS[kind], verb)
}

/** Removes the waiting options, which concern the transaction as a whole. */
export function withoutWaiting<O extends Waiting>(options: O): Omit<O, keyof Waiting> {
  const { retry: _retry, timeout: _timeout, signal: _signal, ...others } = options
  return others
}

/** How a value is put into an envelope. */
export interface Sealing {
  /** The time to live that the caller gave. */
  readonly ttl: Storing['ttl']
  /** Copies an envelope that is stored later, so that changes which the caller makes until then do not matter. */
  readonly keep?: (envelope: Envelope) => Envelope
  /** The key, for the message of an error. */
  readonly key?: Key
}

/**
 * Checks a value and puts it into an envelope, synchronously with a synchronous schema.
 *
 * @throws InvalidValueError when it does not fit
 */
export function sealed(model: ResolvedModel, value: unknown, sealing: Sealing): Envelope | Promise<Envelope> {
  const { ttl, key, keep = same } = sealing
  const life = ttl === undefined || ttl === null ? ttl : endless(milliseconds(ttl, 'ttl'))
  const checked = check(model.schema, value)
  const envelope = seal(model, value, life)
  if (!(checked instanceof Promise)) return ifFitting(model, checked, envelope, key)
  const kept = keep(envelope)
  return checked.then(one => ifFitting(model, one, kept, key))
}

function ifFitting(
  model: ResolvedModel,
  checked: Checked<unknown>,
  envelope: Envelope,
  key: Key | undefined,
): Envelope {
  if (!('issues' in checked)) return envelope
  throw new InvalidValueError(model.name, key === undefined ? '' : ` ${kindOf(key)}`, checked.issues)
}

/** Checks several values and puts copies of them into envelopes, synchronously with a synchronous schema. */
export function sealedAll(
  model: ResolvedModel,
  pairs: readonly (readonly [Key, unknown])[],
  sealing: Pick<Required<Sealing>, 'ttl' | 'keep'>,
): readonly Envelope[] | Promise<readonly Envelope[]> {
  const envelopes: (Envelope | Promise<Envelope>)[] = []
  try {
    for (const [key, value] of pairs) {
      const envelope = sealed(model, value, { ...sealing, key })
      envelopes.push(envelope instanceof Promise ? envelope : sealing.keep(envelope))
    }
  } catch (error) {
    // Only the first error is reported. The others must not become unhandled rejections.
    for (const one of envelopes) if (one instanceof Promise) one.catch(() => undefined)
    throw error
  }
  return envelopes.some(one => one instanceof Promise) ? Promise.all(envelopes) : (envelopes as Envelope[])
}

function same(envelope: Envelope): Envelope {
  return envelope
}

export function checkPair<Input>(pair: readonly [key: Key, value: Input]): readonly [Key, Input] {
  if (Array.isArray(pair) && pair.length === 2) return [pair[0], pair[1]]
  throw new TypeError(`putMany: entries must be [key, value], got ${kindOf(pair)}`)
}

/** Options of `put`. */
export type Putting = Omit<Storing, 'file' | 'meta'>
/** Options of `getOrSet` of a model. */
export type PuttingComputed = Omit<Computing, 'file' | 'meta'>

/** Computes the value of a key for `getOrSet` of a model. */
export type ModelFactory<Input, Output> = (context: ComputeContext<Output>) => Input | Promise<Input>

/**
 * Runs the factory of `getOrSet` for a model. It gets the old value in the form of the model; its result is checked.
 */
export async function computed<Input, Output>(
  model: ResolvedModel,
  factory: ModelFactory<Input | undefined, Output>,
  context: ComputeContext<unknown>,
  ttl: Storing['ttl'],
): Promise<Envelope | undefined> {
  let life = ttl
  const old = context.previous === undefined ? undefined : await open(model, context.previous)
  const own: ComputeContext<Output> = {
    ttl: given => {
      context.ttl(given)
      life = given
    },
    tag: context.tag,
    skip: context.skip,
    signal: context.signal,
    ...(old && old.is !== 'misfit' && { previous: old.value as Output }),
  }
  const value = await factory(own)
  return value === undefined ? undefined : sealed(model, value, { ttl: life })
}

/** The context of a factory whose value is not stored. */
export function loneContext(): ComputeContext<unknown> {
  const ignore = (): void => undefined
  return { ttl: ignore, tag: ignore, skip: ignore, signal: new AbortController().signal }
}

function endless(ttl: number): number | null {
  return ttl === Number.POSITIVE_INFINITY ? null : ttl
}
