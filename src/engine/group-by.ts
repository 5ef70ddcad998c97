/** Values by their group, in their order. `Map.groupBy`, which Node 20 does not have. */
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
