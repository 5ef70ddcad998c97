export type { CreateKeyvOptions } from '../keyv/create-keyv.js'
export type { CacheSource, DoorOptions } from '../open-cache.js'
export { DiskStore, type DiskStoreOptions } from './cache-manager-store.js'
export { type DiskStoreFactory, diskStore } from './disk-store.js'
