import type { DoorLease } from '../engine/for-doors.js'
import { clearInterval, setInterval } from '../engine/timers.js'
import type { Exchange } from './core.js'
import { type GrowingAnswer, growing } from './growing-answer.js'
import { isGone, onClose } from './http-message.js'
import { LEASE_TTL } from './leader.js'
import { cacheStatus } from './policy/cache-status.js'
import type { ResponseHead } from './policy/message.js'
import { storability } from './policy/storability.js'
import { Recorder, type Verdict } from './recorder.js'
import { canHold } from './spool-bounds.js'
import { receivedAnswer, storeAnswer } from './stored-answer.js'
import { type Storing, storingOf } from './storing.js'
import { invalidate, keysToInvalidate, passUnsafe, removeKeys } from './unsafe.js'

/** A POST whose answer may become that to later GETs (RFC 9110 §9.3.3). */
class Posting {
  readonly #exchange: Exchange
  readonly #recorder: Recorder
  readonly #storing: Storing
  readonly #requestedAt: number
  readonly #heartbeat: NodeJS.Timeout
  #lease: DoorLease | undefined
  #isStoring = false

  constructor(exchange: Exchange, lease: DoorLease) {
    this.#exchange = exchange
    this.#lease = lease
    this.#requestedAt = exchange.core.store.now()
    this.#storing = storingOf(exchange)
    this.#recorder = new Recorder(exchange.res, head => this.#judge(head))
    this.#heartbeat = setInterval(() => this.#beat(), LEASE_TTL / 3).unref()
    onClose(exchange.res, () => this.#isStoring || this.#release())
  }

  #judge(head: ResponseHead): Verdict {
    try {
      return this.#verdictOn(head)
    } catch (error) {
      this.#exchange.core.store.tell(error)
      return this.#letPass(head, { detail: 'error' })
    }
  }

  #verdictOn(head: ResponseHead): Verdict {
    const { core, request, key } = this.#exchange
    const { store, settings } = core
    const { policy } = settings
    const whole = receivedAnswer(head, this.#requestedAt, store.now())
    const isStorable = head.status !== 206 && storability(request, whole, policy).store
    if (!isStorable || !canHold(store, settings, key, whole)) return this.#letPass(head)
    const answer = growing(this.#exchange, head, whole, this.#recorder.withoutAbove(whole.fields))
    void this.#store(head, answer)
    const status = cacheStatus({ name: policy.name, fwd: 'method', stored: true })
    return { kind: 'pass', add: [['Cache-Status', status]], sink: answer.spool }
  }

  /** Stores nothing of an answer, but removes what it makes invalid. */
  #letPass(head: ResponseHead, more: { readonly detail?: string } = {}): Verdict {
    const { core, req, request } = this.#exchange
    invalidate(core, req, request, head)
    this.#release()
    const status = cacheStatus({ name: core.settings.policy.name, fwd: 'method', ...more })
    return { kind: 'pass', add: [['Cache-Status', status]] }
  }

  async #store(head: ResponseHead, answer: GrowingAnswer): Promise<void> {
    const { core, req, request } = this.#exchange
    const { spool } = answer
    this.#isStoring = true
    try {
      await this.#land(keysToInvalidate(core, req, request, head), answer)
    } catch (error) {
      core.store.tell(error)
      spool.forgo()
    } finally {
      this.#release()
      // The handler may still be writing.
      await spool.ended
      spool.file?.abandon()
      spool.close()
    }
  }

  async #land(keys: readonly string[], answer: GrowingAnswer): Promise<void> {
    const { core, key } = this.#exchange
    const { store, settings } = core
    // Answers of earlier flights must not be stored after this one.
    this.#lease = this.#lease && (await store.supersede(this.#lease, LEASE_TTL))
    await removeKeys(store, this.#lease ? keys.filter(one => one !== key) : keys)
    if (this.#lease) await removeKeys(store, [key], { stamps: false })
    const lease = this.#lease
    if ((await answer.spool.ended) !== 'complete' || !lease) return
    await this.#storing(() => storeAnswer(store, settings, lease, answer))
    this.#lease = undefined
  }

  #beat(): void {
    if (this.#lease) this.#exchange.core.store.extend(this.#lease, LEASE_TTL)
  }

  #release(): void {
    clearInterval(this.#heartbeat)
    if (this.#lease) this.#exchange.core.store.release(this.#lease)
    this.#lease = undefined
  }
}

/** Passes a POST to the handler and stores its answer for later GETs if that is allowed. */
export async function passPost(exchange: Exchange): Promise<void> {
  const { core, req, res, next, key } = exchange
  const ready = core.store.ready()
  const isReady = ready === true || (await ready)
  const lease = isReady ? await core.store.acquire(key, `${key}\npost`, LEASE_TTL) : undefined
  if (isGone(res)) {
    if (lease && lease !== 'held') core.store.release(lease)
    return
  }
  if (!lease || lease === 'held') return passUnsafe(core, req, res, next)
  new Posting(exchange, lease)
  next()
}
