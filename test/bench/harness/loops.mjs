/**
 * The timed loops. Each checks what comes back, so that nothing can be optimised away, and a contestant that misses or
 * refuses cannot win.
 */

export async function getAwaited(get, order) {
  for (let at = 0; at < order.length; at++) {
    if ((await get(order[at])) === undefined) throw new Error(`miss: ${order[at]}`)
  }
}

export function getSynchronous(get, order) {
  for (let at = 0; at < order.length; at++) {
    if (get(order[at]) === undefined) throw new Error(`miss: ${order[at]}`)
  }
}

export async function setAwaited(set, order, values) {
  for (let at = 0; at < order.length; at++) {
    if ((await set(order[at], values[at % values.length])) === false) throw new Error(`refused: ${order[at]}`)
  }
}

export function setSynchronous(set, order, values) {
  for (let at = 0; at < order.length; at++) set(order[at], values[at % values.length])
}

/** `width` sets at a time, the next ones when all of them are done. */
export async function setConcurrent(set, order, values, width) {
  for (let from = 0; from < order.length; from += width) {
    const pending = []
    for (let at = from; at < from + width && at < order.length; at++) {
      pending.push(set(order[at], values[at % values.length]))
    }
    for (const done of await Promise.all(pending)) if (done === false) throw new Error('refused')
  }
}

export async function deleteAwaited(remove, order) {
  for (let at = 0; at < order.length; at++) {
    if ((await remove(order[at])) === false) throw new Error(`was not there: ${order[at]}`)
  }
}

/** Microseconds of each call, the waiting for its promise included. */
export async function timeEach(call, order, values) {
  const latencies = new Array(order.length)
  for (let at = 0; at < order.length; at++) {
    const startedAt = performance.now()
    await call(order[at], values?.[at % values.length])
    latencies[at] = (performance.now() - startedAt) * 1e3
  }
  return latencies
}

/** The same without `await`, for what answers at once. */
export function timeEachSynchronous(call, order, values) {
  const latencies = new Array(order.length)
  for (let at = 0; at < order.length; at++) {
    const startedAt = performance.now()
    call(order[at], values?.[at % values.length])
    latencies[at] = (performance.now() - startedAt) * 1e3
  }
  return latencies
}
