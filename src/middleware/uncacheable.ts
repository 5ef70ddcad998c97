import { createHash } from 'node:crypto'
import { RecentKeys } from '../engine/for-doors.js'

const MOST = 10_000
const MILLISECONDS = 10_000
/** Suffix of keys that are uncacheable only for requests with credentials. No key ends with it. */
const PERSONAL = '\n'
/** Longer keys are remembered by their hash, since clients choose them. Characters. */
const LONGEST_NAME = 256

/** Keys whose answers were recently uncacheable. Requests for them do not wait for each other (hit-for-miss). */
export class Uncacheable {
  readonly #names = new RecentKeys(MOST, MILLISECONDS)

  /** Notes an uncacheable answer. `personal`: only for requests with credentials. */
  note(key: string, { personal }: { readonly personal: boolean }): void {
    this.#names.add(personal ? nameOf(key) + PERSONAL : nameOf(key))
  }

  /** Called when an answer may be stored, or has changed. */
  forget(key: string): void {
    const name = nameOf(key)
    this.#names.delete(name)
    this.#names.delete(name + PERSONAL)
  }

  /** Whether the answer to a request was recently uncacheable. `personal`: the request has credentials. */
  has(key: string, { personal }: { readonly personal: boolean }): boolean {
    const name = nameOf(key)
    return this.#names.has(name) || (personal && this.#names.has(name + PERSONAL))
  }
}

function nameOf(key: string): string {
  return key.length > LONGEST_NAME ? createHash('sha256').update(key).digest('base64') : key
}
