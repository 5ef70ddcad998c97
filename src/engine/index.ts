export { Cache } from './cache.js'
export type { DiskCache, Entry, Queueing, QueueTransaction, StoredFile, Transaction } from './contract.js'
export type { Codec, EncodedKey, EncodedValue, SqlValue } from './disk/codec.js'
export { jsonCodec } from './disk/json-codec.js'
export { pickleCodec } from './disk/pickle-codec.js'
export { structuredCodec } from './disk/structured-codec.js'
export type { RefusalReason } from './errors.js'
export {
  ClosedError,
  CorruptError,
  DecodeError,
  DirectoryError,
  DiskCacheError,
  DiskFullError,
  DriverError,
  PendingLimitError,
  ReadonlyError,
  SchemaError,
  StorageError,
  TimeoutError,
  ValueTooLargeError,
} from './errors.js'
export type { CacheEvents } from './events.js'
export { FanoutCache } from './fanout-cache.js'
export type {
  CacheOptions,
  CacheStats,
  ComputeContext,
  Computing,
  Counting,
  DiskOptions,
  EvictionPolicy,
  FanoutCacheOptions,
  Finding,
  Info,
  Item,
  Key,
  Listing,
  PlainData,
  Pulling,
  Pushing,
  Settings,
  SettingsChange,
  SqliteOptions,
  Storing,
  Tag,
  Touching,
  Waiting,
} from './options.js'
export type { Clock, Duration } from './time.js'
