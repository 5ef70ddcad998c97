import type { HttpResponse } from './http-message.js'

/** The methods of a response that send something. */
export type Sending = Pick<HttpResponse, 'writeHead' | 'write' | 'end' | 'flushHeaders' | 'destroy'>

/**
 * An answer in the place of that of a handler, which may still write to the response: a pipe whose source comes late, a
 * second `end`, the `destroy` of a pipeline. That must not get into the other answer.
 */
export class OtherAnswer {
  /** The response for the other answer. The handler has the response itself. */
  readonly response: HttpResponse
  #isSending = false
  #hasBegun = false

  /** @param original the methods from before the handler, which may be those of middleware above */
  constructor(response: HttpResponse, original: Sending) {
    const own: Record<string | symbol, unknown> = {}
    for (const name of ['writeHead', 'write', 'end', 'flushHeaders', 'destroy'] as const) {
      own[name] = (...args: unknown[]): unknown => this.#send(() => Reflect.apply(original[name], response, args))
    }
    this.response = new Proxy(response, {
      get: (target, name) => own[name] ?? Reflect.get(target, name, target),
      set: (target, name, value) => Reflect.set(target, name, value, target),
    })
  }

  /** Whether a call on the response itself comes from this answer, through middleware above or Node. */
  get isSending(): boolean {
    return this.#isSending
  }

  /** Whether its head may be written: middleware above may do so later. */
  get hasBegun(): boolean {
    return this.#hasBegun
  }

  #send<T>(call: () => T): T {
    const before = this.#isSending
    this.#isSending = true
    this.#hasBegun = true
    try {
      return call()
    } finally {
      this.#isSending = before
    }
  }
}
