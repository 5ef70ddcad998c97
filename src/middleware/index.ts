export type { HttpRequest, HttpResponse, Next, RoutedRequest, RoutelessRequest } from './http-message.js'
export type { ResponseCacheOptions } from './options.js'
export { type PurgeOptions, purge } from './purge.js'
export { type Middleware, responseCache } from './response-cache.js'
export { type SendFileHandler, sendFile } from './send-file.js'
export type {
  Acceleration,
  Disposition,
  FillBody,
  FillContent,
  SendFileOptions,
} from './send-file-options.js'
