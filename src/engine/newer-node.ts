/*
 * What later versions of Node have, and Node 20 does not.
 */

/** Values by their group, in their order: `Map.groupBy`. */
export function groupBy<K, V>(values: Iterable<V>, groupOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>()
  for (const value of values) {
    const group = groupOf(value)
    const known = groups.get(group)
    if (known) known.push(value)
    else groups.set(group, [value])
  }
  return groups
}

/** A promise with the function that resolves it: `Promise.withResolvers`, for promises that never reject. */
export function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>(set => {
    resolve = set
  })
  return { promise, resolve }
}
