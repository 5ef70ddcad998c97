import { Deque, type DequeOptions, Index } from 'fanout-cache'
import { onTestFinished } from 'vitest'
import { collect } from '../../helpers/collect.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

/** A deque in a fresh directory, or in the one given, closed when the test has finished. */
export function openDeque<T = unknown>(options?: DequeOptions, directory: string = temporaryDirectory()): Deque<T> {
  const deque = new Deque<T>(directory, options)
  onTestFinished(() => deque.close())
  return deque
}

/** A deque that holds these items. */
export async function dequeOf<T>(items: Iterable<T>, options?: DequeOptions): Promise<Deque<T>> {
  const deque = openDeque<T>(options)
  await deque.extend(items)
  return deque
}

/** A deque whose clock stands still until the test moves it. */
export function withClock<T = unknown>(options?: DequeOptions): { deque: Deque<T>; clock: ManualClock } {
  const clock = new ManualClock()
  return { deque: openDeque<T>({ clock, ...options }), clock }
}

export function openIndex<V = unknown>(directory: string = temporaryDirectory()): Index<V> {
  const index = new Index<V>(directory)
  onTestFinished(() => index.close())
  return index
}

export async function indexOf<V>(entries: Iterable<readonly [string, V]>): Promise<Index<V>> {
  const index = openIndex<V>()
  await index.setMany(entries)
  return index
}

/** What is in a deque, from left to right. */
export function itemsOf<T>(deque: Deque<T>): Promise<T[]> {
  return collect(deque)
}

export function range(length: number, from = 0): number[] {
  return Array.from({ length }, (_, at) => from + at)
}
