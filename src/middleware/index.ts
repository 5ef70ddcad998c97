export type { HttpRequest, HttpResponse, Next } from './http-message.js'
export { type SendFileHandler, sendFile } from './send-file.js'
export type {
  Acceleration,
  Disposition,
  FillBody,
  FillContent,
  SendFileOptions,
} from './send-file-options.js'
