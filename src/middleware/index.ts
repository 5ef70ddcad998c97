export type { Handled, HttpRequest, HttpResponse, Next, RoutedRequest, RoutelessRequest } from './http-message.js'
export type { ResponseCacheOptions } from './options.js'
export type { Fields, ResponseHead } from './policy/message.js'
export type { Heuristics, PolicyOptions, RequestDirective } from './policy/options.js'
export { type PurgeOptions, purge } from './purge.js'
export { type Middleware, responseCache } from './response-cache.js'
export { type SendFileHandler, sendFile } from './send-file.js'
export type {
  Acceleration,
  Disposition,
  DispositionParts,
  FillBody,
  FillContent,
  NginxAcceleration,
  SendFileOptions,
  SendfileAcceleration,
} from './send-file-options.js'
