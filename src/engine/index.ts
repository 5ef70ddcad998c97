export { Cache } from './cache.js'
export type {
  CollectionOptions,
  DequeOptions,
  DequeTransaction,
  IndexTransaction,
  TakenItem,
  Taking,
  Walking,
} from './collections/contract.js'
export { Deque } from './collections/deque.js'
export { Index } from './collections/persistent-index.js'
export { type Compression, compressed } from './compressed.js'
export type { DiskCache, Entry, Queueing, QueueTransaction, StoredFile, Transaction } from './contract.js'
export type { Codec, EncodedKey, EncodedValue, SqlValue } from './disk/codec.js'
export { type JsonCodec, jsonCodec } from './disk/json-codec.js'
export { pickleCodec } from './disk/pickle-codec.js'
export { structuredCodec } from './disk/structured-codec.js'
export type { Cause, RefusalReason, ValueIssue } from './errors.js'
export {
  ClosedError,
  CorruptError,
  DecodeError,
  DirectoryError,
  DiskCacheError,
  DiskFullError,
  DriverError,
  InvalidValueError,
  LeaseLostError,
  LockTimeoutError,
  PendingLimitError,
  ReadonlyError,
  SchemaError,
  StorageError,
  TimeoutError,
  ValueTooLargeError,
} from './errors.js'
export type { CacheEvents, EvictEvent, QuarantineEvent, RefusedEvent, TimeoutEvent } from './events.js'
export { FanoutCache } from './fanout-cache.js'
export type {
  AboutDirectory,
  AboutShard,
  CacheDiagnostics,
  CommitMessage,
  ComputeMessage,
  ComputeOutcome,
  EvictMessage,
  GetMessage,
  LockWaitMessage,
  QuarantineMessage,
  RefusedMessage,
  SetMessage,
  TimeoutMessage,
  VerbTrace,
} from './observe/channels.js'
export type {
  CacheOptions,
  CacheStats,
  Checking,
  ComputeContext,
  Computing,
  Counting,
  DiskOptions,
  DiskSettings,
  EvictionPolicy,
  Expiring,
  Factory,
  FanoutCacheOptions,
  FileRange,
  Finding,
  Info,
  Item,
  Key,
  Listing,
  MemoryOptions,
  MemoryStats,
  Peeking,
  PendingLimits,
  PlainData,
  Pulling,
  Pushing,
  Settings,
  SettingsChange,
  SqliteOptions,
  StatsOptions,
  Storing,
  Tag,
  Touching,
  Transacting,
  Waiting,
} from './options.js'
export { Averager } from './recipes/averager.js'
export { type BarrierOptions, barrier, type LockFactory, type LockLike, type Releasable } from './recipes/barrier.js'
export { BoundedSemaphore, type SemaphoreOptions } from './recipes/bounded-semaphore.js'
export type { CacheLike } from './recipes/cache-like.js'
export type { Lease } from './recipes/lease.js'
export { Lock } from './recipes/lock.js'
export type { Acquiring, LockOptions } from './recipes/lock-options.js'
export { memoize } from './recipes/memoize.js'
export { type MemoizeStampedeOptions, memoizeStampede } from './recipes/memoize-stampede.js'
export type { Memoized, MemoizeOptions } from './recipes/memoizing.js'
export { RLock } from './recipes/rlock.js'
export { type ThrottleOptions, throttle } from './recipes/throttle.js'
export type { AsyncCall, OwnCall } from './recipes/wrapping.js'
export type { Clock, Duration } from './time.js'
export type { UpkeepRound } from './upkeep/messages.js'
export { startUpkeep, type Upkeep, type UpkeepEvents } from './upkeep/start-upkeep.js'
export type { UpkeepOptions } from './upkeep/upkeep-options.js'
export type { CacheNamespace } from './views/cache-namespace.js'
export { type KeyBuilderOptions, keyBuilder, keyOf } from './views/key-of.js'
export { defineModel, type Model, type ModelDefinition, type ModelInput, type ModelOutput } from './views/model.js'
export type { ModelCache } from './views/model-cache.js'
export type { Misfit, ModelEvents } from './views/model-events.js'
export type { ModelStats, TierStats } from './views/model-stats.js'
export type { ModelFactory, Putting, PuttingComputed } from './views/model-values.js'
export type { Namespace } from './views/namespace.js'
export type { NamespaceOptions } from './views/namespace-options.js'
