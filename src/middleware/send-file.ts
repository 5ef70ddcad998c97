import { startUpkeepOf } from '../engine/for-doors.js'
import { type FileKey, FileStore } from '../engine/for-files.js'
import type { DiskCache, Key, StoredFile } from '../engine/index.js'
import { performance } from '../engine/timers.js'
import {
  assertNext,
  type Handled,
  type HttpRequest,
  type HttpResponse,
  linesOf,
  type Next,
  type RoutedRequest,
  type RoutelessRequest,
  requestHead,
} from './http-message.js'
import { Intake } from './intake.js'
import { appendCacheStatus, type CacheStatus } from './policy/cache-status.js'
import { evaluate, validatorsOf } from './policy/conditional.js'
import { formatHttpDate } from './policy/dates.js'
import type { Fields, RequestHead } from './policy/message.js'
import { hearOfEnd } from './queued.js'
import { hasFallback, isInternal, mayRedirect, redirectField } from './send-file-accel.js'
import { ModeWatch, setGrace } from './send-file-access.js'
import { type Described, fieldsOf } from './send-file-fields.js'
import { type Filled, joinFill } from './send-file-fill.js'
import { type ResolvedSendFile, resolveSendFile, type SendFileOptions } from './send-file-options.js'
import { forTail, mustWait, tailBody, waitForStored } from './send-file-tail.js'
import { putHead, type StoredAnswer, sendStored } from './send-stored.js'

/** A handler for Express 4 and 5, connect, and anything that calls handlers in the same way. */
export type SendFileHandler<Request extends RoutelessRequest = RoutelessRequest> = (
  request: Request,
  response: HttpResponse,
  next: Next,
) => Promise<void>

/** The total wait of one request for the database. After it the request is served without the cache. Milliseconds. */
const PATIENCE = 30
const LEAST_PATIENCE = 10
/** How often a file is looked up that others have stored and that has disappeared again. */
const TRIES = 3
/** How long to wait for a complete file before it is sent while it arrives. Milliseconds. */
const BRIEF = 25

/**
 * Serves the values of a cache as files, with ranges and conditional requests, by this process or by the web server in
 * front of it (`accel`). A missing file is fetched by `fill`, once for concurrent requests, and sent while it arrives.
 * Without `fill` the next handler answers.
 *
 * Failures of the cache, such as a held lock or a full or damaged disk, are treated like a missing file.
 *
 * @example
 * app.get('/media/*path', sendFile(cache, { key: request => ['media', request.params.path.join('/')] }))
 *
 * @throws TypeError for unknown options and wrong types; RangeError for values out of range
 */
export function sendFile<Request extends HttpRequest = RoutedRequest>(
  cache: DiskCache,
  options: SendFileOptions<Request>,
): SendFileHandler<Handled<Request>> {
  const resolved = resolveSendFile(options)
  const sender = new FileSender(cache, resolved)
  startUpkeepOf(cache, resolved.upkeep)
  return (request, response, next) => {
    assertNext(next, 'sendFile')
    return sender.handle(request, response, next)
  }
}

/** One request. */
interface Visit {
  readonly request: HttpRequest
  readonly response: HttpResponse
  readonly next: Next
  readonly key: Key
  /** The end of its wait for the database, on the clock of `performance.now()`. */
  deadline: number
}

type Status = Omit<CacheStatus, 'name'>

class FileSender {
  readonly #cache: DiskCache
  readonly #store: FileStore
  readonly #options: ResolvedSendFile
  readonly #modes: ModeWatch | undefined
  #grace: Promise<void> | undefined

  constructor(cache: DiskCache, options: ResolvedSendFile) {
    this.#cache = cache
    this.#store = new FileStore(cache, 'sendFile')
    this.#options = options
    this.#modes = options.accel && new ModeWatch(this.#store.directory)
    void this.#prepare()
  }

  async handle(request: HttpRequest, response: HttpResponse, next: Next): Promise<void> {
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') return this.#leave(response, next, { fwd: 'method' })
      if (isInternal(this.#options.accel, request)) return this.#refuse(response)
      const key = await this.#options.key(request)
      if (key === undefined) return this.#leave(response, next, { fwd: 'bypass', detail: 'no-key' })
      await this.#serve({ request, response, next, key, deadline: performance.now() + PATIENCE })
    } catch (error) {
      if (response.headersSent) response.destroy()
      else this.#leave(response, next, { fwd: 'miss', detail: 'error' }, error)
    }
  }

  /** Passes the request to the next handler and sets `Cache-Status` to the reason. */
  #leave(response: HttpResponse, next: Next, status: Status, error?: unknown): void {
    if (!response.headersSent) putHead(response, response.statusCode, this.#withStatus(response, [], status))
    if (error === undefined) next()
    else next(error)
  }

  /** Opens the cache in advance, so that the first request does not wait for it. */
  async #prepare(): Promise<void> {
    if (await this.#store.warm()) this.#ensureGrace()
  }

  #ensureGrace(): void {
    const { grace = 0 } = this.#options.accel ?? {}
    if (grace === 0 || !this.#store.isOpen || !this.#store.isWritable) return
    this.#grace ??= setGrace(this.#cache, grace, () => this.#store.isOpen)
  }

  /** Refuses a client's request for the internal location, whose error page sends it here. */
  #refuse(response: HttpResponse): void {
    putHead(response, 404, this.#withStatus(response, [['Content-Length', '0']], { fwd: 'bypass', detail: 'internal' }))
    response.end()
  }

  async #serve(visit: Visit): Promise<void> {
    const { request, response, next, key } = visit
    hearOfEnd(request, response)
    await this.#store.ready(left(visit))
    let status: Status = { hit: true }
    for (let attempt = 0; attempt <= TRIES; attempt++) {
      const at = this.#store.keyOf(key)
      const file = await this.#store.read(at, left(visit))
      if (file && (await this.#answer(visit, file, status))) return
      if (!this.#options.fill) break
      if (await this.#fill(visit, at, attempt === TRIES)) return
      // Others have stored it. The time they took does not count as a wait for the database.
      visit.deadline = performance.now() + PATIENCE
      status = { fwd: 'uri-miss', collapsed: true }
    }
    this.#leave(response, next, { fwd: 'uri-miss' })
  }

  /** Sends an existing file. Resolves to `false` when it could not be read and nothing was sent. */
  async #answer(visit: Visit, file: StoredFile, status: Status): Promise<boolean> {
    const { request, response } = visit
    let fields: Fields | undefined
    try {
      fields = this.#fieldsOf(visit, file)
      const ttl = file.expiresAt === undefined ? {} : { ttl: file.expiresAt - this.#store.now() }
      const redirect = this.#redirect(visit, file, fields)
      if (redirect) {
        const described: Fields = [...fields, redirect]
        putHead(response, 200, this.#withStatus(response, described, { ...status, ...ttl, detail: 'accel' }))
        response.end()
        return true
      }
      const detail = this.#options.accel && hasFallback(request) ? 'fallback' : 'stream'
      const all = this.#withStatus(response, this.#unbuffered(fields), { ...status, ...ttl, detail })
      await this.#send(visit, requestHead(request), {
        status: 200,
        fields: all,
        storedAt: file.storedAt,
        body: file,
      })
      return true
    } catch (error) {
      // Functions of the route have failed, or the answer is under way.
      if (!fields || response.headersSent) throw error
      this.#store.tell(error, visit.key)
      return false
    } finally {
      await file.close()
    }
  }

  /** The field that lets the web server send the file. `undefined`: this process sends it. */
  #redirect({ request }: Visit, file: StoredFile, fields: Fields): readonly [name: string, value: string] | undefined {
    const { accel } = this.#options
    if (!accel) return undefined
    const head = requestHead(request)
    if (!mayRedirect(accel, head, fields) || evaluate(head, validatorsOf(fields)) !== 'pass') return undefined
    const redirect = redirectField(accel, this.#store.directory, file.path)
    if (redirect && file.path !== undefined) this.#modes?.look(file.path)
    this.#ensureGrace()
    return redirect
  }

  /** Sends the result of `fill`. Resolves to `false` when others have stored the file, which is then looked up. */
  async #fill(visit: Visit, at: FileKey, alone: boolean): Promise<boolean> {
    const { request, response, next } = visit
    const order = { store: this.#store, at, options: this.#options, request, patience: left(visit), alone }
    const [fill, collapsed] = joinFill(order)
    const outcome = await (collapsed ? this.#store.tracedWait(at, fill.outcome) : fill.outcome)
    if (outcome === 'stored') return false
    const status: Status = { fwd: 'uri-miss', collapsed }
    if (outcome === 'none') {
      this.#leave(response, next, status)
      return true
    }
    const { content } = outcome
    if (collapsed && content instanceof Intake && !content.isWhole) return false
    const told: Status = { ...status, stored: outcome.isStoring, detail: 'fill' }
    const fields = this.#fillFields(visit, outcome, told)
    const head = requestHead(request)
    // It joins the readers in this turn and stays one while it waits.
    const body = content instanceof Intake ? tailBody(content, outcome.size) : content
    try {
      const patience = this.#patienceFor(visit, head, outcome)
      const stored = patience > 0 && waitForStored(fill, outcome, response, patience)
      if (stored && (await this.#store.tracedWait(at, stored))) {
        const file = await this.#store.read(at, PATIENCE)
        if (file && (await this.#answer(visit, file, { ...status, stored: true }))) return true
      }
      await this.#send(visit, content instanceof Intake ? forTail(head) : head, {
        status: 200,
        fields,
        storedAt: outcome.at,
        body,
      })
      return true
    } finally {
      if ('close' in body) await body.close()
    }
  }

  /** How long to wait until a file is stored. It then has a tag and can be sent by the web server. */
  #patienceFor({ request }: Visit, head: RequestHead, { content, size, isStoring }: Filled): number {
    if (!isStoring) return 0
    if (content instanceof Intake) return mustWait(head, size) ? this.#options.collapseTimeout : BRIEF
    return this.#options.accel && !hasFallback(request) ? BRIEF : 0
  }

  #fillFields(visit: Visit, outcome: Filled, status: Status): Fields {
    const { kept, at } = outcome
    // The tag is known only when all bytes are.
    const fields = this.#fieldsOf(visit, { key: visit.key, storedAt: at, version: '', meta: { ...kept } })
    return this.#withStatus(visit.response, this.#unbuffered(fields), status)
  }

  async #send(visit: Visit, head: RequestHead, answer: StoredAnswer): Promise<void> {
    const { error } = await sendStored(head, visit.response, answer)
    // The connection was cut, which only the client has noticed.
    if (error !== undefined) this.#store.tell(error, visit.key)
  }

  #fieldsOf({ request, response }: Visit, file: Described): Fields {
    const present = response.getHeader('Cache-Control')
    const fields = fieldsOf(request, this.#options, file, present === undefined ? undefined : String(present))
    return [...fields, ['Date', formatHttpDate(this.#store.now())]]
  }

  /** Switches off the buffering of nginx, which would write a streamed answer to a file of its own. */
  #unbuffered(fields: Fields): Fields {
    return this.#options.accel?.type === 'nginx' ? [...fields, ['X-Accel-Buffering', 'no']] : fields
  }

  #withStatus(response: HttpResponse, fields: Fields, status: Status): Fields {
    const before = linesOf('Cache-Status', response.getHeader('Cache-Status'))
    return appendCacheStatus([...fields, ...before], { name: this.#options.name, ...status })
  }
}

function left({ deadline }: Visit): number {
  // The time may have passed because of the machine and not of the database.
  return Math.max(LEAST_PATIENCE, deadline - performance.now())
}
