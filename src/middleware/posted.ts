import { randomUUID } from 'node:crypto'
import type { DoorLease } from '../engine/for-doors.js'
import { clearInterval, setInterval } from '../engine/timers.js'
import type { Core } from './core.js'
import { type HttpRequest, type HttpResponse, isGone, type Next, onClose, requestHead } from './http-message.js'
import { LEASE_TTL } from './leader.js'
import { urlOfKey, variantKey } from './policy/cache-key.js'
import { cacheStatus } from './policy/cache-status.js'
import type { RequestHead, ResponseHead, StoredResponse } from './policy/message.js'
import { storability } from './policy/storability.js'
import { fieldsToStore } from './policy/stored-fields.js'
import { selectingKey } from './policy/vary.js'
import { Recorder, type Verdict } from './recorder.js'
import { Spool } from './spool.js'
import { boundsOf } from './spool-bounds.js'
import { receivedAnswer, selectingNames, storeAnswer, tagsOf } from './stored-answer.js'
import { invalidate, keysToInvalidate, passUnsafe, removeKeys } from './unsafe.js'

/** A POST whose answer may become that to later GETs (RFC 9110 §9.3.3). */
class Posting {
  readonly #core: Core
  readonly #req: HttpRequest
  readonly #request: RequestHead
  readonly #recorder: Recorder
  readonly #requestedAt: number
  readonly #heartbeat: NodeJS.Timeout
  #lease: DoorLease | undefined
  #isStoring = false

  constructor(core: Core, req: HttpRequest, res: HttpResponse, lease: DoorLease) {
    this.#core = core
    this.#req = req
    this.#request = { ...requestHead(req), url: urlOfKey(lease.key) }
    this.#lease = lease
    this.#requestedAt = core.store.now()
    this.#recorder = new Recorder(res, head => this.#judge(head))
    this.#heartbeat = setInterval(() => this.#beat(), LEASE_TTL / 3).unref()
    onClose(res, () => this.#isStoring || this.#release())
  }

  #judge(head: ResponseHead): Verdict {
    try {
      return this.#verdictOn(head)
    } catch (error) {
      this.#core.store.tell(error)
      return this.#letPass(head, { detail: 'error' })
    }
  }

  #verdictOn(head: ResponseHead): Verdict {
    const { store, settings } = this.#core
    const { policy } = settings
    const whole = receivedAnswer(head, this.#requestedAt, store.now())
    const fields = whole.fields.filter(([name]) => !this.#recorder.isFromAbove(name))
    const stored = { ...whole, fields: fieldsToStore(fields, policy) }
    const { key = '' } = this.#lease ?? {}
    const { length = 0, most } = boundsOf(store, settings, key, whole)
    const isStorable = head.status !== 206 && storability(this.#request, whole, policy).store && length <= most
    if (!isStorable) return this.#letPass(head)
    const sink = this.#store(head, stored)
    return {
      kind: 'pass',
      add: [['Cache-Status', cacheStatus({ name: policy.name, fwd: 'method', stored: true })]],
      sink,
    }
  }

  /** Stores nothing of an answer, but removes what it makes invalid. */
  #letPass(head: ResponseHead, more: { readonly detail?: string } = {}): Verdict {
    const { name } = this.#core.settings.policy
    invalidate(this.#core, this.#req, this.#request, head)
    this.#release()
    return { kind: 'pass', add: [['Cache-Status', cacheStatus({ name, fwd: 'method', ...more })]] }
  }

  /** Starts to store an answer and returns the spool for its body. */
  #store(head: ResponseHead, stored: StoredResponse): Spool {
    const { store, settings } = this.#core
    const { key = '' } = this.#lease ?? {}
    const names = selectingNames(stored, settings)
    const at = names.length === 0 ? key : variantKey(key, selectingKey(names, this.#request))
    const tags = tagsOf(settings, this.#req, head, stored)
    const spool = new Spool(store, at, boundsOf(store, settings, at, stored))
    const keys = keysToInvalidate(this.#core, this.#req, this.#request, head)
    this.#isStoring = true
    this.#land(spool, keys, { at, names, stored, tags })
      .catch(error => store.tell(error))
      .finally(() => {
        spool.file?.abandon()
        spool.close()
        this.#release()
      })
    return spool
  }

  async #land(
    spool: Spool,
    keys: readonly string[],
    answer: { at: string; names: readonly string[]; stored: StoredResponse; tags: readonly string[] },
  ): Promise<void> {
    const { store, settings } = this.#core
    const { key = '' } = this.#lease ?? {}
    // Answers of earlier flights must not be stored after this one.
    this.#lease = this.#lease && (await store.supersede(this.#lease, LEASE_TTL))
    await removeKeys(store, this.#lease ? keys.filter(one => one !== key) : keys)
    if (this.#lease) await removeKeys(store, [key], { stamps: false })
    if ((await spool.ended) !== 'complete' || !this.#lease) return
    await storeAnswer(store, settings, { lease: this.#lease, ...answer, id: randomUUID(), spool })
    this.#lease = undefined
  }

  #beat(): void {
    if (this.#lease) this.#core.store.extend(this.#lease, LEASE_TTL)
  }

  #release(): void {
    clearInterval(this.#heartbeat)
    if (this.#lease) this.#core.store.release(this.#lease)
    this.#lease = undefined
  }
}

/** Passes a POST to the handler and stores its answer for later GETs if that is allowed. */
export async function passPost(
  core: Core,
  req: HttpRequest,
  res: HttpResponse,
  next: Next,
  key: string,
): Promise<void> {
  const ready = core.store.ready()
  const isReady = ready === true || (await ready)
  const lease = isReady ? await core.store.acquire(key, `${key}\npost`, LEASE_TTL) : undefined
  if (isGone(res)) {
    if (lease && lease !== 'held') core.store.release(lease)
    return
  }
  if (!lease || lease === 'held') return passUnsafe(core, req, res, next)
  new Posting(core, req, res, lease)
  next()
}
