import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { checkOptionNames, type GrowingFile, kindOf, milliseconds, PollPauses } from '../engine/for-doors.js'
import type { FileKey, FileLease, FileStore } from '../engine/for-files.js'
import type { PlainData } from '../engine/index.js'
import { performance, setImmediate } from '../engine/timers.js'
import type { HttpRequest } from './http-message.js'
import { Intake, toReadable } from './intake.js'
import { contentTag, type KeptFields, toKeep } from './send-file-fields.js'
import { checkTags, type FillBody, type ResolvedSendFile } from './send-file-options.js'

/** The result of a fill, known before its bytes have arrived. */
export interface Filled {
  readonly kept: KeptFields
  /** When it was fetched, in epoch milliseconds. */
  readonly at: number
  readonly content: Buffer | Intake
  readonly size: number | undefined
  /** Whether it is being stored, and not only sent. */
  readonly isStoring: boolean
}

/** `'none'`: there is no such file. `'stored'`: another process has stored it. */
export type FillOutcome = Filled | 'none' | 'stored'

const BODY_OPTIONS = new Set([
  ...['body', 'type', 'size', 'ttl', 'tags', 'lastModified'],
  ...['disposition', 'cacheControl', 'encoding'],
])

const fills = new WeakMap<object, Map<unknown, Fill>>()

/** The parameters of a fill. */
export interface FillOrder {
  readonly store: FileStore
  readonly at: FileKey
  readonly options: ResolvedSendFile
  /** The first request for the file. */
  readonly request: HttpRequest
  /** How long the first request may wait for the database. Milliseconds. */
  readonly patience: number
  /** Whether to fetch without lease and without storing, because stored files have disappeared repeatedly. */
  readonly alone: boolean
}

/** Joins the fill of a key that is under way in this process, or starts one. `joined`: whether it existed. */
export function joinFill(order: FillOrder): readonly [fill: Fill, joined: boolean] {
  if (order.alone) return [new Fill(order), false]
  const { shard, identity } = order.at
  const place = shard ?? order.store
  const byKey = fills.get(place) ?? new Map<unknown, Fill>()
  fills.set(place, byKey)
  const known = byKey.get(identity)
  if (known?.canBeJoined) return [known, true]
  known?.giveWay()
  const fill = new Fill(order)
  byKey.set(identity, fill)
  const forget = (): void => {
    if (byKey.get(identity) === fill) byKey.delete(identity)
  }
  fill.settled.then(forget, forget)
  return [fill, false]
}

/** The fetching of one file, once per process at a time and, with the lease, once over all processes. */
export class Fill {
  /** Resolves to the result as soon as it is known. Rejects with the error of `fill`. */
  readonly outcome: Promise<FillOutcome>
  /** Resolves at the end to whether the file is in the cache. */
  readonly settled: Promise<boolean>
  readonly #order: FillOrder
  #intake: Intake | undefined
  #lease: FileLease | undefined
  #file: GrowingFile | undefined
  #described: Omit<FillBody, 'body'> = {}

  constructor(order: FillOrder) {
    this.#order = order
    this.outcome = this.#begin()
    this.settled = this.outcome.then(
      outcome => this.#finish(outcome),
      () => false,
    )
  }

  /** Whether a new request can get the file from its beginning, and it was not removed since it began. */
  get canBeJoined(): boolean {
    return (this.#intake?.isWhole ?? true) && (this.#lease?.isCurrent(this.#tags) ?? true)
  }

  /** Ends the lease when the file was removed since it began: it is not stored, so nobody should wait for it. */
  giveWay(): void {
    if (!(this.#lease?.isCurrent(this.#tags) ?? true)) this.#giveBack()
  }

  get #tags(): readonly string[] {
    return [...(this.#order.options.tags ?? []), ...(this.#described.tags ?? [])]
  }

  async #begin(): Promise<FillOutcome> {
    const clearance = await this.#clearance()
    if (clearance === 'stored') return 'stored'
    this.#lease = clearance
    let answer: unknown
    try {
      const { options, request } = this.#order
      answer = await options.fill?.(request)
      if (answer !== undefined) return await this.#takeIn(answer)
      this.#lease?.release()
      return 'none'
    } catch (error) {
      this.#lease?.release()
      dispose(answer)
      throw error
    }
  }

  /** Asks for the lease. `undefined`: it is not available in time, so that the file is fetched without storing it. */
  async #clearance(): Promise<FileLease | 'stored' | undefined> {
    const { store, at, options, patience, alone } = this.#order
    if (alone) return undefined
    const until = performance.now() + options.collapseTimeout
    let hasWaited = false
    for (const pauses = new PollPauses(); ; ) {
      const clearance = await store.takeOff(at, options.lease, patience)
      if (clearance !== 'held' && clearance !== undefined) return clearance
      // Read without the lock, which the filling process takes now and then.
      if (clearance === undefined && store.isFree(at)) return hasWaited ? 'stored' : undefined
      hasWaited = true
      await store.tracedWait(at, this.#untilFree(pauses, until))
      if (performance.now() >= until) return undefined
    }
  }

  /** Waits until no other process has the lease, or the time is over. */
  async #untilFree(pauses: PollPauses, until: number): Promise<void> {
    const { store, at } = this.#order
    while (!store.isFree(at) && performance.now() < until) await pauses.next()
  }

  async #takeIn(answer: unknown): Promise<Filled> {
    const { store, at, request } = this.#order
    const { body, ...described } = checkBody(answer)
    const kept = { lastModified: store.now(), ...toKeep(request, at.key, described) }
    this.#described = described
    const { ttl = this.#order.options.ttl } = described
    // A file that expires at once is not stored.
    if (ttl !== undefined && ttl !== null && milliseconds(ttl, 'ttl') === 0) this.#giveBack()
    const known = { kept, at: store.now() }
    if (typeof body === 'string' || body instanceof Uint8Array) {
      const content = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body)
      const etag = contentTag(createHash('sha256').update(content).digest())
      const filled = { ...known, kept: { ...kept, etag }, content, size: content.byteLength }
      return { ...filled, isStoring: this.#lease !== undefined }
    }
    const source = toReadable(body)
    if (!source) throw new TypeError(`sendFile: fill must return bytes, text or a stream, got ${kindOf(body)}`)
    const size = described.size ?? (body instanceof Blob ? body.size : undefined)
    const file = await this.#createFile()
    const onSpill = (error: unknown): void => {
      if (error !== undefined) store.tell(error, at.key)
      file?.abandon()
      this.#lease?.release()
    }
    const content = new Intake(source, { file, size, onSpill, limit: this.#lease?.sizeLimit ?? 0 })
    this.#intake = content
    // The requests that wait for this outcome join in this turn.
    const place = content.join()
    setImmediate(() => content.leave(place))
    return { ...known, content, size, isStoring: file !== undefined }
  }

  async #createFile(): Promise<GrowingFile | undefined> {
    const lease = this.#lease
    try {
      const file = await lease?.createFile()
      this.#file = file
      return file
    } catch (error) {
      this.#order.store.tell(error, this.#order.at.key)
      lease?.release()
      return undefined
    }
  }

  #giveBack(): void {
    this.#lease?.release()
    this.#lease = undefined
  }

  /** Stores the file when it is complete. */
  async #finish(outcome: FillOutcome): Promise<boolean> {
    if (outcome === 'stored') return true
    if (outcome === 'none') return false
    try {
      const { kept, content } = outcome
      if (content instanceof Intake) {
        const hash = await content.ended
        return hash !== undefined && (await this.#store({ ...kept, etag: contentTag(hash) }))
      }
      if (content.byteLength > (this.#lease?.sizeLimit ?? 0)) return false
      const file = await this.#createFile()
      await file?.append(content)
      return await this.#store(kept)
    } catch (error) {
      // The error of a source reaches its readers.
      if (!(outcome.content instanceof Intake)) this.#order.store.tell(error, this.#order.at.key)
      return false
    } finally {
      this.#file?.abandon()
      this.#lease?.release()
      if (this.#intake) this.#intake.close()
      else this.#file?.handle.close().catch(() => undefined)
    }
  }

  async #store(meta: KeptFields): Promise<boolean> {
    const { ttl = this.#order.options.ttl } = this.#described
    const lease = this.#lease
    const file = this.#file
    if (!lease || !file) return false
    const { store, at } = this.#order
    const storing = { meta: meta as PlainData, ttl, tags: this.#tags }
    return store.traced(
      'sendFile.store',
      at,
      () => lease.store(file, storing),
      isStored => (isStored ? 'stored' : 'unstored'),
    )
  }
}

/** Ends a stream that nobody is going to read. */
function dispose(answer: unknown): void {
  const body = typeof answer === 'object' && answer !== null && 'body' in answer ? answer.body : answer
  if (body instanceof Readable) body.on('error', () => undefined).destroy()
  else if (body instanceof globalThis.ReadableStream && !body.locked) void body.cancel().catch(() => undefined)
}

/** Checks the result of `fill` and gives it the form of a `FillBody`. @throws TypeError when it cannot be sent */
function checkBody(answer: unknown): FillBody {
  if (answer === null) throw new TypeError('sendFile: fill must return a file or undefined, got null')
  const isContent =
    typeof answer !== 'object' || answer instanceof Uint8Array || answer instanceof Blob || 'pipe' in answer
  if (isContent || answer instanceof globalThis.ReadableStream) return { body: answer as FillBody['body'] }
  if (!('body' in answer)) {
    throw new TypeError(`sendFile: fill must return bytes, text, a stream or { body }, got ${kindOf(answer)}`)
  }
  checkOptionNames(answer, BODY_OPTIONS, 'sendFile: what fill answers')
  const { size, ttl, tags } = answer as FillBody
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) {
    throw new RangeError(`sendFile: size of what fill answers must be a number of bytes, got ${kindOf(size)}`)
  }
  if (ttl !== undefined && ttl !== null) milliseconds(ttl, 'sendFile: ttl of what fill answers')
  checkTags(tags, 'tags of what fill answers')
  return answer as FillBody
}
