/**
 * Returns the one value of a name in this process, which the ESM and the CommonJS build of the package share. The first
 * caller makes it.
 */
export function oncePerProcess<T>(name: string, make: () => T): T {
  const key = Symbol.for(`fanout-cache.${name}.0`)
  const place = globalThis as { [key: symbol]: T | undefined }
  const known = place[key] ?? make()
  place[key] = known
  return known
}
