import { AsyncResource } from 'node:async_hooks'
import { isTraced } from '../engine/for-doors.js'
import type { Exchange } from './core.js'

/** Runs what stores an answer, which resolves to whether it did. */
export type Storing = (store: () => Promise<boolean>) => Promise<boolean>

const unreported: Storing = store => store()

/**
 * Returns what is to run the storing of the answer to a request. Those who trace hear of it below that request, and not
 * below that whose context the handler answers in, as that of a connection to a database which several requests share.
 */
export function storingOf({ core, key }: Exchange): Storing {
  if (!isTraced()) return unreported
  return AsyncResource.bind((store: () => Promise<boolean>) =>
    core.store.traced('responseCache.store', key, store, isStored => (isStored ? 'stored' : 'unstored')),
  )
}
