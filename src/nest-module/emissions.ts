import { Observable, type Subscriber } from 'rxjs'
import { setImmediate } from '../engine/timers.js'

/** The result of a handler outside of HTTP: one value, or a stream, which may be empty. */
export type Emitted = { readonly value: unknown } | { readonly stream: Observable<unknown> }

/**
 * Runs a handler and waits for its value. The result is a stream when it emits more values or none, or has not
 * completed one turn of the loop after the first. Values emitted before somebody subscribes are not lost.
 *
 * @throws the error of the handler before its first value
 */
export function emittedBy(handled: Observable<unknown>): Promise<Emitted> {
  return new Promise((resolve, reject) => {
    const early: unknown[] = []
    let end: ((listener: Subscriber<unknown>) => void) | undefined
    let listener: Subscriber<unknown> | undefined
    const finish = (how: NonNullable<typeof end>): void => {
      end = how
      if (listener) how(listener)
    }
    const stream = new Observable<unknown>(subscriber => {
      listener = subscriber
      for (const value of early.splice(0)) subscriber.next(value)
      end?.(subscriber)
      return () => running.unsubscribe()
    })
    const running = handled.subscribe({
      next: value => {
        if (listener) return listener.next(value)
        if (early.push(value) === 1) setImmediate(() => resolve({ stream }))
      },
      error: error => {
        if (early.length === 0) reject(error)
        finish(to => to.error(error))
      },
      complete: () => {
        finish(to => to.complete())
        resolve(early.length === 1 ? { value: early[0] } : { stream })
      },
    })
  })
}
