import { clearInterval, setInterval } from '../engine/timers.js'
import { type BodySink, NOWHERE } from './body-sink.js'
import { replaceConditions } from './conditionals.js'
import type { Exchange } from './core.js'
import type { Flight } from './flights.js'
import { type GrowingAnswer, growing } from './growing-answer.js'
import { onClose } from './http-message.js'
import type { Found } from './lookup.js'
import { cacheStatus, type ForwardReason } from './policy/cache-status.js'
import { evaluate, validatorsOf } from './policy/conditional.js'
import { formatHttpDate } from './policy/dates.js'
import { hasField } from './policy/fields.js'
import type { Fields, ResponseHead, StoredResponse } from './policy/message.js'
import { mayServeStaleOnError } from './policy/reuse.js'
import { isServerError } from './policy/statuses.js'
import { afterHead, afterUpdate, type Fate, isPersonal, storability } from './policy/storability.js'
import { updatedBy304 } from './policy/update.js'
import { isFreshenedBy, validationFields } from './policy/validation.js'
import { Recorder, type Verdict } from './recorder.js'
import { notModified, type Status, serveFound, wholeAsPart } from './serve.js'
import { canHold } from './spool-bounds.js'
import { receivedAnswer, renewAnswer, renewedHead, storeAnswer } from './stored-answer.js'
import { toStored } from './stored-head.js'
import { type Storing, storingOf } from './storing.js'

/** The lease of a flight. Milliseconds. */
export const LEASE_TTL: number = 3000
/** The longest flight whose answer is stored: older removals are forgotten by then. Milliseconds. */
const LONGEST_FLIGHT = 3_500_000

/** A request that goes to the handler, for itself and for the requests that wait for the same answer. */
export class Leader {
  #exchange: Exchange
  readonly #flight: Flight
  readonly #stale: Found | undefined
  readonly #fwd: ForwardReason
  readonly #storing: Storing
  #recorder: Recorder | undefined
  #restore: () => void = () => undefined
  #heartbeat: NodeJS.Timeout | undefined
  #requestedAt = 0
  #judged = false

  /** @param stale the stored answer to be validated */
  constructor(exchange: Exchange, flight: Flight, stale: Found | undefined, fwd: ForwardReason) {
    this.#exchange = exchange
    this.#flight = flight
    this.#stale = stale
    this.#fwd = fwd
    this.#storing = storingOf(exchange)
  }

  run(): void {
    try {
      this.#prepare()
    } catch (error) {
      this.#restore()
      this.#giveUp('again')
      throw error
    }
    this.#flight.takeOff(this.#exchange.core.settings.collapseTimeout)
    this.#exchange.next()
  }

  #prepare(): void {
    const { core, req, res } = this.#exchange
    const own = this.#stale ? validationFields(toStored(this.#stale.head)) : []
    this.#restore = replaceConditions(req, own, { keepsRange: this.#flight.isForPart })
    this.#requestedAt = core.store.now()
    this.#recorder = new Recorder(
      res,
      head => this.#judge(head),
      () => this.#standIn(),
    )
    onClose(res, () => this.#closed())
    const { lease } = this.#flight
    if (lease) this.#heartbeat = setInterval(() => core.store.extend(lease, LEASE_TTL), LEASE_TTL / 3).unref()
  }

  #judge(head: ResponseHead): Verdict {
    this.#judged = true
    this.#restore()
    try {
      return this.#verdictOn(head)
    } catch (error) {
      this.#giveUp('alone')
      this.#exchange.core.store.tell(error)
      return this.#toClient(head, NOWHERE, { detail: 'error' })
    }
  }

  #verdictOn(head: ResponseHead): Verdict {
    const { core } = this.#exchange
    const stale = this.#stale
    if (stale && head.status === 304) {
      const news = this.#withoutAbove(this.#toStored(head))
      return this.#swallow(() => this.#renew(stale, news))
    }
    if (stale && isServerError(head.status) && this.#mayServe(stale)) {
      return this.#swallow(() => this.#serveStale(stale, head.status))
    }
    const stored = this.#toStored(head)
    if (this.#exchange.req.method === 'HEAD') return this.#judgeHead(head, this.#withoutAbove(stored))
    const answer = storability(this.#exchange.request, stored, core.settings.policy)
    if (!answer.store || !canHold(core.store, core.settings, this.#exchange.key, stored)) {
      const personal = !answer.store && isPersonal(this.#exchange.request, stored, core.settings.policy)
      // An unstorable part says nothing about the whole.
      if (!this.#flight.isForPart) core.uncacheable.note(this.#exchange.key, { personal })
      this.#giveUp(personal ? 'personal' : 'alone')
      return this.#toClient(head, NOWHERE, answer.store ? {} : { detail: answer.reason })
    }
    core.uncacheable.forget(this.#exchange.key)
    return this.#record(head, stored)
  }

  #toStored(head: ResponseHead): StoredResponse {
    return receivedAnswer(head, this.#requestedAt, this.#exchange.core.store.now())
  }

  /** Judges an answer to HEAD. It is not stored, but renews or invalidates the stored answer (RFC 9111 §4.3.5). */
  #judgeHead(head: ResponseHead, news: StoredResponse): Verdict {
    const { core, request } = this.#exchange
    const stale = this.#stale
    const after = stale && afterHead(request, toStored(stale.head), news, core.settings.policy)
    this.#flight.settle({ kind: 'again' })
    const isRenewed = stale && after?.fate === 'update'
    const storing = isRenewed ? this.#renewStored(stale, after.updated) : this.#drop(stale, after?.fate)
    storing.catch(error => core.store.tell(error))
    return this.#toClient(head, NOWHERE, {})
  }

  /** Decides what the client gets: the whole answer, as 206 if it asked for a range, or 304 if it has it already. */
  #toClient(head: ResponseHead, sink: BodySink, more: Partial<Status>): Verdict {
    const { core, request } = this.#exchange
    const { etag, lastModified, date } = validatorsOf(head.fields)
    // The date may replace a validator only for a stored answer (RFC 9111 §4.3.2).
    const validators = { etag, lastModified, date: sink === NOWHERE ? undefined : date }
    const verdict = evaluate(request, { ...validators, status: head.status, now: core.store.now() })
    const part = sink === NOWHERE ? undefined : wholeAsPart(request, head, validators)
    const isOther = (verdict === 304 || part) && { fwdStatus: head.status }
    const status = cacheStatus({ name: core.settings.policy.name, fwd: this.#fwd, ...isOther, ...more })
    const line: Fields = [['Cache-Status', status]]
    if (verdict === 304) return { kind: 'replace', head: notModified([...head.fields, ...line]), sink }
    const isStored = sink !== NOWHERE && !hasField(head.fields, 'Date')
    // The client gets the same Date as clients of the stored answer.
    const add: Fields = isStored ? [...line, ['Date', formatHttpDate(core.store.now())]] : line
    return { kind: 'pass', add: part ? [...add, ...part] : add, status: part && 206, ...(sink !== NOWHERE && { sink }) }
  }

  #record(head: ResponseHead, whole: StoredResponse): Verdict {
    const answer = growing(this.#exchange, head, whole, this.#withoutAbove(whole).fields)
    this.#flight.settle({ kind: 'tail', answer })
    void this.#storeWhenEnded(answer)
    return this.#toClient(head, answer.spool, { stored: this.#flight.lease !== undefined })
  }

  #withoutAbove(response: StoredResponse): StoredResponse {
    return { ...response, fields: this.#recorder?.withoutAbove(response.fields) ?? response.fields }
  }

  async #storeWhenEnded(answer: GrowingAnswer): Promise<void> {
    const { core } = this.#exchange
    const { lease } = this.#flight
    const { at, spool, stored } = answer
    let undo = (): unknown => undefined
    try {
      undo = core.store.onClosing(at, () => spool.isOver || spool.forgo())
      const end = await spool.ended
      const isKnown = core.store.now() - stored.requestedAt < LONGEST_FLIGHT
      if (end === 'complete' && lease && isKnown) {
        await this.#storing(() => storeAnswer(core.store, core.settings, lease, answer))
      } else if (lease) core.store.release(lease)
    } catch (error) {
      core.store.tell(error)
    } finally {
      undo()
      // Unless it is stored.
      spool.file?.abandon()
      spool.close()
      this.#land()
    }
  }

  #swallow(then: () => Promise<void>): Verdict {
    return { kind: 'swallow', after: () => this.#instead(then) }
  }

  #instead(then: () => Promise<void>): void {
    const res = this.#recorder?.takeBack()
    if (res) this.#exchange = { ...this.#exchange, res }
    then().catch(error => this.#fail(error))
  }

  /** The function that answers when the handler destroys the response. */
  #standIn(): (() => void) | undefined {
    const stale = this.#stale
    if (!stale || !this.#mayServe(stale)) return undefined
    this.#judged = true
    this.#restore()
    return () => this.#instead(() => this.#serveStale(stale))
  }

  /** Renews the stored answer that the handler has confirmed (RFC 9111 §4.3.3). */
  async #renew(stale: Found, news: StoredResponse): Promise<void> {
    const { core } = this.#exchange
    const { settings } = core
    const before = toStored(stale.head)
    const isAbout = isFreshenedBy(before, news)
    const updated = isAbout ? updatedBy304(before, news, settings.policy) : before
    const fate = isAbout ? afterUpdate(this.#exchange.request, before, updated, settings.policy) : 'keep'
    const found: Found = isAbout ? { ...stale, head: renewedHead(stale.head, updated, settings) } : stale
    this.#flight.settle(fate === 'update' ? { kind: 'found', found } : { kind: fate === 'remove' ? 'alone' : 'again' })
    const isStored = fate === 'update' && this.#flight.lease !== undefined
    const storing = isStored ? this.#renewStored(stale, updated) : this.#drop(stale, fate)
    // It may fail while the answer is being sent, which is no reason to cut that.
    storing.catch(error => core.store.tell(error))
    await this.#serve(found, { fwd: this.#fwd, fwdStatus: 304, stored: isStored })
  }

  async #renewStored(stale: Found, updated: StoredResponse): Promise<void> {
    const { store, settings } = this.#exchange.core
    const { lease } = this.#flight
    try {
      if (lease) await this.#storing(() => renewAnswer(store, settings, lease, stale, updated))
    } finally {
      this.#land()
    }
  }

  /** Removes the stored answer if the 304 forbids to keep it. A 304 for this client only leaves it unchanged. */
  async #drop(stale: Found | undefined, fate: Fate | undefined): Promise<void> {
    const { store } = this.#exchange.core
    const isGone = fate === 'remove' || fate === 'refetch'
    try {
      if (this.#flight.lease) store.release(this.#flight.lease)
      if (stale && isGone && store.isWritable) await store.edit([stale.key], () => 'remove')
    } finally {
      this.#land()
    }
  }

  #mayServe(stale: Found): boolean {
    const { store, settings } = this.#exchange.core
    return mayServeStaleOnError(toStored(stale.head), store.now(), settings.policy)
  }

  /** Sends the stale answer instead of an error of the handler (RFC 5861 §4). */
  async #serveStale(stale: Found, fwdStatus?: number): Promise<void> {
    this.#flight.settle({ kind: 'found', found: stale, standsIn: true })
    this.#giveUp('again')
    await this.#serve(stale, { fwd: this.#fwd, fwdStatus, detail: 'stale-if-error' })
  }

  async #serve(found: Found, status: Status): Promise<void> {
    if (await serveFound(this.#exchange, found, status)) return
    throw new Error('the stored answer is gone')
  }

  /** Answers with an error, because the handler has run and cannot be asked again. */
  #fail(error: unknown): void {
    const { core, res } = this.#exchange
    core.store.tell(error)
    this.#giveUp('again')
    if (res.headersSent) res.destroy()
    else {
      res.statusCode = 502
      res.setHeader('Cache-Status', cacheStatus({ name: core.settings.policy.name, fwd: this.#fwd, detail: 'lost' }))
      res.end()
    }
  }

  #closed(): void {
    this.#restore()
    // A handler that stops with the client never ends what was to be swallowed.
    if (!this.#judged || !this.#flight.isSettled) this.#giveUp('again')
  }

  /** Ends the flight without storing. */
  #giveUp(kind: 'again' | 'alone' | 'personal'): void {
    this.#flight.settle({ kind })
    if (this.#flight.lease) this.#exchange.core.store.release(this.#flight.lease)
    this.#land()
  }

  #land(): void {
    clearInterval(this.#heartbeat)
    this.#exchange.core.flights.end(this.#flight)
  }
}
