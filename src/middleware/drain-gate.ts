import type { EventEmitter } from 'node:events'
import { nextTick } from '../engine/timers.js'
import type { HttpResponse } from './http-message.js'

/**
 * Stands before the event `drain` of a response. The client causes it, but a handler that also waits for something else
 * must not hear it before that has room as well.
 */
export class DrainGate {
  readonly #wake: () => void

  /**
   * @param on the method of the response from before the handler: middleware below may have one of its own
   * @param onDrain called when the client has room. Returns whether the handler is to hear it now.
   */
  constructor(response: HttpResponse, on: HttpResponse['on'], onDrain: () => boolean) {
    // Middleware above that transforms the body lets those who listen to the response listen to its own stream. `on`
    // returns who emits.
    const emitter: EventEmitter = on.call(response, 'drain', () => undefined)
    const { emit } = emitter
    this.#wake = () => void emit.call(emitter, 'drain')
    emitter.emit = function gated(event: string | symbol, ...args: unknown[]): boolean {
      if (event === 'drain' && !onDrain()) return true
      return Reflect.apply(emit, this, [event, ...args])
    }
  }

  /** Tells the handler, and nobody else, that it may go on. In a turn of its own, whose errors are the handler's. */
  open(): void {
    nextTick(this.#wake)
  }
}
