import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../examples/demo/main.mjs', import.meta.url))

/** The demo, as a user starts it. */
export interface Demo {
  readonly url: string
  /** Ends it and all that it started, and removes its directory. */
  stop(): Promise<void>
}

/** Starts the demo on a free port with a fresh directory. */
export async function startDemo(): Promise<Demo> {
  const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-demo-'))
  const env = { ...process.env, PORT: '0', HOST: '127.0.0.1', CACHE_DIR: directory }
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill()
    await ended
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  for await (const line of createInterface(child.stdout)) {
    const url = /^listening on (\S+)$/.exec(line)?.[1]
    if (url === undefined) continue
    child.stdout.resume()
    return { url, stop }
  }
  await stop()
  throw new Error('the demo ended before it listened')
}
