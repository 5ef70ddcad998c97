import { Agent } from 'node:http'
import { Readable } from 'node:stream'
import { FanoutCache } from 'fanout-cache'
import { type SendFileOptions, sendFile } from 'fanout-cache/express'
import { expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { peer } from '../helpers/peers.js'
import { content, isOneVersion } from './fixtures/storm-content.mjs'
import { app5 } from './support/apps.js'
import { ask, listen } from './support/http.js'
import { openDirectory, startNginx } from './support/nginx.js'

const REQUESTS = 2000
const CLIENTS = 32
const KEYS = Array.from({ length: 12 }, (_, at) => `file-${at}`)
/** Room for some of the files only, so that every write evicts others. */
const OPTIONS = { shards: 2, sizeLimit: 2 ** 24, maxItems: 11, disk: { directoryMode: 0o755, fileMode: 0o644 } }
const RANGE = { start: 1000, length: 5000 }

/** Requests while another process changes the same files: what was wrong, and how many a fill answered. */
async function storm(port: number, directory: string): Promise<{ wrong: string[]; changes: number }> {
  const args = { directory, keys: KEYS, options: OPTIONS }
  const changer = new FixtureProcess(new URL('./fixtures/storm.mjs', import.meta.url), args)
  await changer.line('begun')
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  onTestFinished(() => agent.destroy())
  const wrong: string[] = []
  let next = 0
  const client = async (): Promise<void> => {
    for (let at = next++; at < REQUESTS; at = next++) {
      const isRange = at % 3 === 0
      const headers = isRange ? { Range: `bytes=${RANGE.start}-${RANGE.start + RANGE.length - 1}` } : {}
      const { status, body, cut } = await ask(port, `/${KEYS[at % KEYS.length]}`, { headers, agent })
      const isRight =
        status === 206 ? isOneVersion(body, RANGE.start, RANGE.length) : status === 200 && isOneVersion(body)
      if (!isRight || cut) wrong.push(`${status} ${cut} ${body.length} ${body.subarray(0, 60)}`)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  changer.send('stop')
  const counts = JSON.parse((await changer.line('done')).slice('done '.length)) as Record<string, number>
  return { wrong, changes: Object.values(counts).reduce((sum, count) => sum + count, 0) }
}

async function serve(options: Partial<SendFileOptions>) {
  const directory = openDirectory()
  const cache = new FanoutCache(directory, OPTIONS)
  await cache.open()
  onTestFinished(() => cache.close())
  let fills = 0
  const fill = (): object => ({ body: Readable.from([content(`fill-${++fills}`)]), tags: [`tag-${fills}`] })
  const key = (request: { readonly url?: string }): string | undefined => request.url?.slice(1)
  const { port } = await listen(app5(sendFile(cache, { key, fill: fill as never, ...options })))
  return { port, directory, cache }
}

it.runIf(peer('nginx'))('answers every request while its files are replaced and evicted, behind nginx', async () => {
  const { port, directory, cache } = await serve({ accel: { type: 'nginx', prefix: '/_cache/' } })
  const front = await startNginx(port, directory)
  const { wrong, changes } = await storm(front.port, directory)
  expect(wrong).toEqual([])
  expect(changes).toBeGreaterThan(100)
  // Nginx writes its log a moment after it has answered.
  await expect.poll(() => front.log()).toHaveLength(REQUESTS)
  const lines = front.log()
  const accelerated = lines.filter(line => line.endsWith('accel')).length
  // The slower the machine, the more files are gone when nginx opens them, and the app answers.
  expect(accelerated).toBeGreaterThan(REQUESTS / 2)
  await cache.close()
})

it('answers every request while its files are replaced and evicted, without nginx', async () => {
  const { port, directory } = await serve({})
  const { wrong, changes } = await storm(port, directory)
  expect(wrong).toEqual([])
  expect(changes).toBeGreaterThan(100)
})
