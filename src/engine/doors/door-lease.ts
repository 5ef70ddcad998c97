/** The right to store something for a key, as long as it is held and nothing was removed that concerns it. */
export interface DoorLease {
  /** The key that is computed, and in whose shard the lease lies. */
  readonly key: string
  readonly name: string
  readonly token: string
  readonly fence: number
}
