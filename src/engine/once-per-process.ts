/**
 * What a process has one of, also when it has loaded both builds of the package, ESM and CommonJS: whoever asks first
 * makes it.
 */
export function oncePerProcess<T>(name: string, make: () => T): T {
  const key = Symbol.for(`fanout-cache.${name}.0`)
  const place = globalThis as { [key: symbol]: T | undefined }
  const known = place[key] ?? make()
  place[key] = known
  return known
}
