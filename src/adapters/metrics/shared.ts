/** Something that is shared by several requests for it: the first creates it and the last ends it. */
interface Shared {
  readonly traits: string
  users: number
  readonly stop: () => void
}

/** A global symbol, so that a server that reloads its code finds what an earlier load of this module has created. */
const REGISTRY = Symbol.for('fanout-cache.collected.0')

type Places = WeakMap<object, Map<string, unknown>>

/** Returns the object that a place shares under a name. The first call creates it. */
export function sharedAt<T>(place: object, name: string, make: () => T): T {
  const holder = globalThis as { [REGISTRY]?: Places }
  holder[REGISTRY] ??= new WeakMap()
  const things = holder[REGISTRY].get(place) ?? new Map<string, unknown>()
  holder[REGISTRY].set(place, things)
  if (!things.has(name)) things.set(name, make())
  return things.get(name) as T
}

/** Describes how something is collected, for comparison and messages. */
export function traitsOf(name: string, labels: object): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return [`name: ${name}`, ...sorted.map(([label, value]) => `${label}: ${value}`)].join(', ')
}

/**
 * Starts something once for each directory in a place. Returns a function that ends it, which may be called repeatedly.
 *
 * @param part names what is started, of which there may be several
 * @param traits describes how it was requested
 * @throws RangeError when it runs already and was requested in another way
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
