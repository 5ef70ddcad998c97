const watched = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back when a signal is aborted; answers how to take that back. Those who watch the same signal have one listener
 * together: one signal may end a hundred calls, and more than ten listeners look to Node like a leak.
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
