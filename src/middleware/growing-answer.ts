import type { Exchange } from './core.js'
import { variantKey } from './policy/cache-key.js'
import type { Fields, ResponseHead, StoredResponse } from './policy/message.js'
import { fieldsToStore } from './policy/stored-fields.js'
import { selectingKey } from './policy/vary.js'
import { Spool } from './spool.js'
import { boundsOf } from './spool-bounds.js'
import { selectingNames, tagsOf } from './stored-answer.js'

/** An answer whose body is still arriving. Others may have it too, and it is stored when it is complete. */
export interface GrowingAnswer {
  /** Where it will lie: the key of the request, or that of a variant. */
  readonly at: string
  readonly stored: StoredResponse
  /** The names of the fields that select the answer. */
  readonly names: readonly string[]
  readonly selecting: string
  readonly tags: readonly string[]
  readonly spool: Spool
}

/**
 * Begins to take an answer in. Fields of others that are on it select it and tag it too, but are not stored.
 *
 * @param head the answer as options are given it
 * @param own the fields of its handler
 * @throws what the option `tags` throws
 */
export function growing(
  { core, req, request, key }: Exchange,
  head: ResponseHead,
  received: StoredResponse,
  own: Fields,
): GrowingAnswer {
  const { settings, store } = core
  const names = selectingNames(received, settings)
  const selecting = selectingKey(names, request)
  const at = names.length === 0 ? key : variantKey(key, selecting)
  const tags = tagsOf(settings, req, head, received)
  const stored = { ...received, fields: fieldsToStore(own, settings.policy) }
  return { at, stored, names, selecting, tags, spool: new Spool(store, at, boundsOf(store, settings, at, received)) }
}
