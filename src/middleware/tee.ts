import { nextTick } from '../engine/timers.js'
import type { BodySink } from './body-sink.js'
import { toBuffer } from './chunks.js'
import { Detour, type Direct } from './detour.js'
import { DrainGate } from './drain-gate.js'
import type { HttpResponse } from './http-message.js'

/** Called when a chunk has been written. */
export type Done = ((error?: Error | null) => void) | undefined

/** The methods of a response before they were replaced. */
export type Original = Pick<HttpResponse, 'write' | 'end' | 'on'>

/** Gives the body of an answer to the cache and to the client, at the pace of both. */
export class Tee {
  readonly #response: HttpResponse
  readonly #sink: BodySink
  readonly #original: Original
  readonly #hasClient: boolean
  #detour: Detour | undefined
  #gate: DrainGate | undefined
  #isClientFull = false
  #isHandlerWaiting = false

  constructor(response: HttpResponse, original: Original, sink: BodySink, { hasClient }: { hasClient: boolean }) {
    this.#response = response
    this.#original = original
    this.#sink = sink
    this.#hasClient = hasClient
  }

  /** Whether the client gets the body from the cache by now. */
  get isDetoured(): boolean {
    return this.#detour?.isTaken === true
  }

  /** Returns whether the handler may go on at once, as `write` of a response does. */
  write(chunk: string | Uint8Array, encoding: unknown, done: unknown): boolean {
    this.#sink.write(toBuffer(chunk, encoding))
    if (!this.#hasClient || this.isDetoured) confirm(encoding, done)
    else if (!Reflect.apply(this.#original.write, this.#response, [chunk, encoding, done])) {
      this.#isClientFull = true
      this.#gate ??= this.#newGate()
      this.#detour ??= this.#detourPast(this.#original)
      this.#detour?.wait()
    }
    if (this.#mayGoOn()) return true
    this.#gate ??= this.#newGate()
    this.#isHandlerWaiting = true
    return false
  }

  /** Called when the handler has ended. A client that gets the body from the cache is still served. */
  end(bytes: Buffer | undefined): void {
    if (bytes && bytes.byteLength > 0) this.#sink.write(bytes)
    this.#sink.end()
    this.#detour?.stop()
  }

  #newGate(): DrainGate {
    return new DrainGate(this.#response, this.#original.on, () => this.#drained())
  }

  #detourPast({ write, end }: Original): Detour | undefined {
    const response = this.#response
    const direct: Direct = {
      write: chunk => Reflect.apply(write, response, [chunk]),
      end: () => void Reflect.apply(end, response, []),
    }
    const { follow } = this.#sink
    return follow && new Detour(response, direct, () => follow.call(this.#sink, this.#review), this.#review)
  }

  #mayGoOn(): boolean {
    const hasRoom = this.#detour?.isTaken ? this.#detour.hasRoom() : !this.#isClientFull
    return hasRoom && (this.#sink.hasRoom?.(this.#review) ?? true)
  }

  /** Returns whether the handler is to hear that the client has room. */
  #drained(): boolean {
    this.#isClientFull = false
    this.#detour?.drained()
    this.#isHandlerWaiting = !this.#mayGoOn()
    return !this.#isHandlerWaiting
  }

  /** Wakes the handler if nothing holds it up any more. */
  readonly #review = (): void => {
    if (!this.#isHandlerWaiting || !this.#mayGoOn()) return
    this.#isHandlerWaiting = false
    this.#gate?.open()
  }
}

/** Calls the callback among the last arguments of `write`, of a chunk that does not go to the client. */
export function confirm(encoding: unknown, done: unknown): void {
  const callback = (typeof encoding === 'function' ? encoding : done) as Done
  if (callback) nextTick(callback)
}
