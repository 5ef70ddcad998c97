export type { CreateKeyvOptions } from '../keyv/create-keyv.js'
export type { Answer, Answered, Answers } from '../keyv/value-space.js'
export type { CacheSource, DoorOptions } from '../open-cache.js'
export {
  type KeyvCapabilities,
  KeyvDiskStore,
  type KeyvMethod,
  type KeyvMethods,
  type KeyvStorageEntry,
  type KeyvStorageMethod,
} from './keyv-disk-store.js'
export { type CreateKeyv6Options, createKeyv } from './keyv6.js'
