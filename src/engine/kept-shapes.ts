/**
 * V8 compiles hot code for the shapes of the objects that it meets. When no object of a shape is left at a major garbage
 * collection, it throws that code away, and a `set` takes up to twice as long until it has been compiled again. Objects
 * that live no longer than one operation are seldom there at that moment, so one of each such shape is kept for good.
 */
const kept: unknown[] = []

/** Keeps an object of a class whose objects are short-lived. It should refer to nothing large. */
export function keepShape(exemplar: unknown): void {
  kept.push(exemplar)
}
