import type { Key, Waiting } from './options.js'

export type Kind = 'Cache' | 'FanoutCache'

/** How one call of a writing verb waits, and what it answers when it is refused. */
export interface Call<T> {
  readonly key?: Key
  /** Those of a verb that takes many. */
  readonly keys?: readonly Key[]
  readonly options?: Waiting | undefined
  /** What a FanoutCache answers instead of an error. */
  readonly refused: T
  /** Whether a FanoutCache waits without a bound unless told otherwise. */
  readonly retry?: boolean
}
