/** What one cache has in one place, however often it was asked for: made by the first, ended by the last. */
interface Shared {
  readonly traits: string
  users: number
  readonly stop: () => void
}

/** Also what an earlier load of this module has made is found here: a server that reloads its code collects once. */
const REGISTRY = Symbol.for('fanout-cache.collected.0')

type Places = WeakMap<object, Map<string, unknown>>

/** What all who ask have together in a place, by a name; made by the first. */
export function sharedAt<T>(place: object, name: string, make: () => T): T {
  const holder = globalThis as { [REGISTRY]?: Places }
  holder[REGISTRY] ??= new WeakMap()
  const things = holder[REGISTRY].get(place) ?? new Map<string, unknown>()
  holder[REGISTRY].set(place, things)
  if (!things.has(name)) things.set(name, make())
  return things.get(name) as T
}

/** How something is collected, as text that can be compared, and told. */
export function traitsOf(name: string, labels: object): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return [`name: ${name}`, ...sorted.map(([label, value]) => `${label}: ${value}`)].join(', ')
}

/**
 * Starts something once for each directory in a place. Answers how to end it, which may be called more than once.
 *
 * @param part what is started, of which there may be several
 * @param traits how it was asked for
 * @throws RangeError when it runs already, and was asked for in another way
 */
export function startOnce(
  place: object,
  part: string,
  { directory, traits }: { readonly directory: string; readonly traits: string },
  start: () => () => void,
): () => void {
  const running = sharedAt(place, `running ${part}`, () => new Map<string, Shared>())
  const present = running.get(directory)
  if (present && present.traits !== traits) {
    throw new RangeError(`${directory} is collected already with ${present.traits}, not with ${traits}`)
  }
  const one = present ?? { traits, users: 0, stop: start() }
  one.users++
  running.set(directory, one)
  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    one.users--
    if (one.users > 0) return
    running.delete(directory)
    one.stop()
  }
}
