/** The callbacks of each signal. */
const watched = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back when a signal is aborted. Returns a function that stops this. All callbacks of a signal share one listener:
 * one signal may end a hundred calls, and Node takes more than ten listeners for a leak.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = watched.get(signal) ?? new Set()
  if (callbacks.size === 0) {
    watched.set(signal, callbacks)
    signal.addEventListener('abort', callAll, { once: true })
  }
  callbacks.add(callback)
  return () => {
    if (callbacks.delete(callback) && callbacks.size === 0) signal.removeEventListener('abort', callAll)
  }
}

function callAll(this: AbortSignal): void {
  const callbacks = watched.get(this) ?? new Set()
  for (const callback of callbacks) {
    callbacks.delete(callback)
    callback()
  }
}
