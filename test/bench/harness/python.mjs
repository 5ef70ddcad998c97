import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The Python in which diskcache can be imported. */
const python = process.env.FANOUT_CACHE_PYTHON ?? '/usr/bin/python3'
const script = fileURLToPath(new URL('../peers/diskcache_peer.py', import.meta.url))
const REASON = `Python's diskcache (${python} cannot import it; FANOUT_CACHE_PYTHON names another)`

let present

/** Why Python is left out; `undefined` when it is there. */
export function missingPython() {
  present ??= spawnSync(python, ['-c', 'import diskcache'], { stdio: 'ignore' }).status === 0
  return present ? undefined : REASON
}

/** A Python process with one cache, driven by lines of JSON. It sleeps while it is not asked. */
export class Python {
  #child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  #waiting = []

  constructor() {
    createInterface({ input: this.#child.stdout }).on('line', line => {
      const { resolve, reject } = this.#waiting.shift()
      const answer = JSON.parse(line)
      if (answer.error) reject(new Error(`python: ${answer.error}`))
      else resolve(answer)
    })
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting) reject(new Error('python has ended'))
    })
  }

  /** Opens a cache of this process. `kind` is cache or fanout. */
  static async open(kind, directory, settings = {}) {
    const python = new Python()
    await python.ask('open', { kind, directory, settings })
    return python
  }

  ask(what, parameters = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#child.stdin.write(`${JSON.stringify({ do: what, ...parameters })}\n`)
    })
  }

  /** Milliseconds, and those of processor, that Python itself measured. */
  async time(what, parameters) {
    const { milliseconds, cpu } = await this.ask(what, parameters)
    return { milliseconds, cpu }
  }

  async close() {
    const ended = new Promise(resolve => this.#child.once('exit', resolve))
    this.#child.stdin.end()
    await ended
  }
}
