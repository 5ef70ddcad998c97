import type { Key, Waiting } from './options.js'

/** How one call of a writing verb waits, and what it returns when it is refused. */
export interface Call<T> {
  readonly key?: Key
  /** The keys of a verb that takes several. */
  readonly keys?: readonly Key[]
  readonly options?: Waiting | undefined
  /** The result of a refused call in a FanoutCache. */
  readonly refused: T
  /** The default of `retry` in a FanoutCache. */
  readonly retry?: boolean
}
