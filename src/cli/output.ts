import { styleText } from 'node:util'
import type { Io, OutputStream } from './command.js'
import { OutputClosed } from './exit-codes.js'

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan'

/** The output of a command. Every method waits until the reader keeps up. */
export class Output {
  /** Whether `--json` was given. */
  readonly json: boolean
  readonly isTerminal: boolean
  readonly #stream: OutputStream
  readonly #signal: AbortSignal
  readonly #coloured: boolean

  constructor(io: Io, signal: AbortSignal, options: { readonly json: boolean; readonly colour: boolean }) {
    this.json = options.json
    this.#stream = io.stdout
    this.#signal = signal
    this.isTerminal = io.stdout.isTTY === true
    this.#coloured = options.colour && isColoured(io, io.stdout)
  }

  async write(chunk: string | Uint8Array): Promise<void> {
    this.#signal.throwIfAborted()
    if (this.#stream.write(chunk)) return
    await this.#drained()
  }

  async line(text = ''): Promise<void> {
    await this.write(`${text}\n`)
  }

  /** Prints a JSON document. For a list, call it once for each item, which gives JSON lines. */
  async document(value: unknown): Promise<void> {
    await this.line(JSON.stringify(value))
  }

  /** Prints the document with `--json`, otherwise the lines. */
  async show(document: unknown, lines: readonly string[]): Promise<void> {
    if (this.json) await this.document(document)
    else for (const line of lines) await this.line(line)
  }

  /** Colours a text, if colours are wanted. */
  paint(style: Style, text: string): string {
    return this.#coloured ? styleText(style, text) : text
  }

  async #drained(): Promise<void> {
    const stream = this.#stream
    const signal = this.#signal
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void): void => {
        stream.off('drain', drained)
        stream.off('close', closed)
        signal.removeEventListener('abort', aborted)
        settle()
      }
      const drained = (): void => end(resolve)
      const closed = (): void => end(() => reject(new OutputClosed()))
      const aborted = (): void => end(() => reject(signal.reason))
      stream.once('drain', drained)
      stream.once('close', closed)
      signal.addEventListener('abort', aborted)
    })
  }
}

/** Whether a stream is a terminal that moves its cursor where it is told to. */
export function isDrawnOn({ env }: Io, stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && env['TERM'] !== 'dumb'
}

/** Whether to use colours: the stream is a terminal and they are not switched off. https://no-color.org */
function isColoured(io: Io, stream: OutputStream): boolean {
  if (io.env['NO_COLOR']) return false
  return isDrawnOn(io, stream)
}

/** Formats rows in columns. A column whose cells all begin with a digit is right-aligned. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [header, ...rows]
  const widths = header.map((_, at) => Math.max(...all.map(row => row[at]?.length ?? 0)))
  const right = header.map((_, at) => rows.length > 0 && rows.every(row => /^[\d-]/.test(row[at] ?? '')))
  return all.map(row =>
    row
      .map((cell, at) => (right[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** Formats names and values below each other. */
export function pairs(entries: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${value}`)
}

/** Makes foreign text safe for one line of a terminal: control characters are written as in JSON. */
export function printable(text: string): string {
  // C1 controls, ends of lines and marks of text direction affect terminals as well.
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, escapeCharacter)
}

function escapeCharacter(character: string): string {
  const short = JSON.stringify(character).slice(1, -1)
  return short === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : short
}
