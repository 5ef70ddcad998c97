import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('./main.mjs', import.meta.url))
const START_MILLISECONDS = 60_000
const ANSWER_MILLISECONDS = 30_000
/** Which worker takes a connection is chance. */
const TRIES = 200

/** The demo as its user sees it: processes, a URL, and what it prints. */
export class DemoServer {
  output = ''
  url = ''
  /** Where it says one should look. */
  tour = []
  directory
  #child
  #pids = new Set()

  constructor(directory) {
    this.directory = directory
  }

  async start() {
    const from = this.output.length
    const child = spawn(process.execPath, [MAIN], {
      env: { ...process.env, PORT: '0', HOST: '127.0.0.1', CACHE_DIR: this.directory },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#pids.add(child.pid)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        this.output += text
      })
    }
    await until('it listens', START_MILLISECONDS, () => {
      if (child.exitCode !== null) throw new Error(`the demo ended with ${child.exitCode}: ${this.output}`)
      return this.output.includes('Ctrl-C', from)
    })
    const said = this.output.slice(from)
    this.url = /^listening on (\S+)$/m.exec(said)?.[1] ?? ''
    this.tour = [...said.matchAll(/^try (\S+)$/gm)].map(match => match[1])
    await this.workers()
  }

  /** The pids of its workers. */
  async workers() {
    const { body } = await this.ask('/api/stats')
    const { workers } = JSON.parse(body.toString())
    for (const pid of workers) this.#pids.add(pid)
    return workers
  }

  /** One request on a connection of its own. */
  async ask(path, { method = 'GET', headers = {}, body } = {}) {
    const begun = performance.now()
    const signal = AbortSignal.timeout(ANSWER_MILLISECONDS)
    const sent = request(new URL(path, this.url), { method, headers, agent: false, signal })
    sent.end(body)
    const [response] = await once(sent, 'response')
    const answer = {
      status: response.statusCode,
      headers: response.headers,
      body: Buffer.concat(await response.toArray()),
    }
    return {
      ...answer,
      ms: performance.now() - begun,
      cache: response.headers['cache-status'] ?? '',
      worker: Number(response.headers['x-worker']),
    }
  }

  /** Asks until a worker answers of which `wanted` is true. */
  async askUntil(wanted, path) {
    for (let tried = 0; tried < TRIES; tried += 1) {
      const answer = await this.ask(path).catch(() => undefined)
      if (answer && wanted(answer.worker)) return answer
      await sleep(20)
    }
    throw new Error(`no worker that was wanted answered ${path}`)
  }

  async post(path, fields) {
    const headers = { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' }
    const answer = await this.ask(path, { method: 'POST', headers, body: String(new URLSearchParams(fields)) })
    return JSON.parse(answer.body.toString())
  }

  /** Ends the first process with a signal; answers its exit code once all processes are gone. */
  async end(signal) {
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    const [code] = await ended
    await until('all processes are gone', START_MILLISECONDS, () => this.#alive().length === 0)
    this.#pids.clear()
    return code
  }

  /** Whatever went wrong, nothing of it stays behind. */
  async killAll() {
    // The first process first, so that it starts no others.
    for (const pid of this.#alive()) process.kill(pid, 'SIGKILL')
    await until('all processes are gone', START_MILLISECONDS, () => this.#alive().length === 0)
  }

  #alive() {
    return [...this.#pids].filter(isAlive)
  }
}

export async function until(what, milliseconds, holds) {
  const deadline = Date.now() + milliseconds
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await sleep(20)
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code === 'ESRCH') return false
    throw error
  }
  // In a container without an init the dead stay listed: as zombies.
  if (process.platform !== 'linux') return true
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return false
    throw error
  }
}
