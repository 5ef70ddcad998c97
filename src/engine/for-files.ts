export type { FileKey, FileLease, FileStoring } from './doors/file-lease.js'
export { FileStore } from './doors/file-store.js'
