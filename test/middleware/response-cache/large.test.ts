import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../../helpers/child-process.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

const SCRIPT = new URL('../fixtures/large-server.mjs', import.meta.url)
const MIB = 2 ** 20
const SIZE = 96 * MIB
/** What may wait for the disk is 32 MiB; the rest is what the collector has not got to. */
const MOST = 64 * MIB

/** Reads an answer and keeps nothing of it. */
async function drain(port: number, slowly: boolean): Promise<{ status: string; length: number; digest: string }> {
  const sent = request({ host: '127.0.0.1', port, agent: new Agent() }).end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const hash = createHash('sha1')
  let length = 0
  for await (const chunk of answer) {
    length += chunk.length
    hash.update(chunk)
    // A client that takes its time must not make the body pile up.
    if (slowly && length % (2 * MIB) < chunk.length) await new Promise(resolve => setTimeout(resolve, 2))
  }
  return { status: String(answer.headers['cache-status']), length, digest: hash.digest('hex') }
}

describe('a long answer', () => {
  it('takes no more memory on its way than a short one, to the cache and from it', async () => {
    const server = new FixtureProcess(SCRIPT, { directory: temporaryDirectory(), size: SIZE })
    const port = Number((await server.line('port')).split(' ')[1])
    const most = async (): Promise<{ rss: number; arrayBuffers: number }> => {
      const from = server.lines.length
      server.send('look')
      return JSON.parse((await server.line('most', from)).slice('most '.length))
    }
    const before = await most()
    const digests = new Set<string>()
    for (const [turn, slowly] of [false, true, false].entries()) {
      const reply = await drain(port, slowly)
      digests.add(reply.digest)
      expect([turn, reply.length]).toEqual([turn, SIZE])
      expect(reply.status).toMatch(turn === 0 ? /; stored/ : /; hit/)
      const peak = await most()
      expect(peak.arrayBuffers).toBeLessThan(MOST)
      expect(peak.rss - before.rss).toBeLessThan(SIZE)
    }
    expect(digests.size).toBe(1)
  })
})
