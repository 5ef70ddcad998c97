import type { EvictionPolicy } from '../options.js'

export interface PolicyPlan {
  /** Name and statement of the index that keeps the order of eviction. */
  readonly index?: { readonly name: string; readonly sql: string }
  /** The column that a read updates: the time of the last access, or the number of accesses. */
  readonly marks?: 'access_time' | 'access_count'
  /** The column in whose ascending order entries are evicted. */
  readonly order?: 'store_time' | 'access_time' | 'access_count'
}

/** DiskCache's policies. */
export const EVICTION_POLICIES: Readonly<Record<EvictionPolicy, PolicyPlan>> = {
  'least-recently-stored': {
    index: {
      name: 'Cache_store_time',
      sql: 'CREATE INDEX IF NOT EXISTS Cache_store_time ON Cache (store_time)',
    },
    order: 'store_time',
  },
  'least-recently-used': {
    index: {
      name: 'Cache_access_time',
      sql: 'CREATE INDEX IF NOT EXISTS Cache_access_time ON Cache (access_time)',
    },
    marks: 'access_time',
    order: 'access_time',
  },
  'least-frequently-used': {
    index: {
      name: 'Cache_access_count',
      sql: 'CREATE INDEX IF NOT EXISTS Cache_access_count ON Cache (access_count)',
    },
    marks: 'access_count',
    order: 'access_count',
  },
  none: {},
}

export function isEvictionPolicy(name: unknown): name is EvictionPolicy {
  return typeof name === 'string' && Object.hasOwn(EVICTION_POLICIES, name)
}
