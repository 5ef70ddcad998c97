import { Observable, type Subscriber } from 'rxjs'

/** What a handler answers outside of HTTP: one value, or a stream, be it empty. */
export type Emitted = { readonly value: unknown } | { readonly stream: Observable<unknown> }

/**
 * Runs a handler and waits for its one value. It is a stream when it emits more or nothing, or has not ended a turn of the
 * loop after its first value; what it has emitted until somebody listens is not lost.
 *
 * @throws what it fails with before its first value
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
