import { once } from 'node:events'
import { request } from 'node:http'
import { json } from 'node:stream/consumers'
import { readCacheStatus } from './cache-status.mjs'

const ANSWER_MILLISECONDS = 30_000

/**
 * Asks the demo over HTTP as anybody does, so that the page tells what clients see. Either worker may take it.
 *
 * @param {{ host: string, port: number }} address
 * @param {string} path
 */
export async function ask(address, path) {
  const begun = performance.now()
  const signal = AbortSignal.timeout(ANSWER_MILLISECONDS)
  const sent = request({ ...address, path, agent: false, signal }).end()
  const [response] = await once(sent, 'response')
  const body = await json(response)
  const { headers, statusCode } = response
  return {
    status: statusCode,
    body,
    ms: performance.now() - begun,
    // What of it the worker took.
    inside: Number(/app;dur=([\d.]+)/.exec(headers['server-timing'])?.[1] ?? Number.NaN),
    field: headers['cache-status'] ?? '',
    cache: readCacheStatus(headers['cache-status']),
    age: headers.age === undefined ? undefined : Number(headers.age),
    worker: Number(headers['x-worker']),
  }
}
