import type { HttpResponse } from './http-message.js'

const SENDING = ['writeHead', 'write', 'end', 'flushHeaders', 'destroy'] as const
const NAMING = ['setHeader', 'appendHeader', 'removeHeader'] as const

/** The methods of a response that send something. */
export type Sending = Pick<HttpResponse, (typeof SENDING)[number]>

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
    for (const name of SENDING) {
      own[name] = (...args: unknown[]): unknown => this.#send(() => Reflect.apply(original[name], response, args))
    }
    for (const name of NAMING) own[name] = this.#keepField(response, name)
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

  /**
   * Leaves a method for fields to middleware above, which sets some when the head is written, and takes it from the
   * handler: an error page has fields too. Returns the method.
   */
  #keepField(response: HttpResponse, name: (typeof NAMING)[number]): unknown {
    const method: unknown = response[name]
    // HTTP/2 has no `appendHeader` in some versions of Node.
    if (typeof method !== 'function') return method
    const given = (...args: unknown[]): unknown => {
      return this.#hasBegun && !response.headersSent ? Reflect.apply(method, response, args) : response
    }
    Reflect.set(response, name, given)
    return method.bind(response)
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
