import { withResolvers } from '../newer-node.js'

interface Opening {
  count: number
  readonly ended: Promise<void>
  readonly end: () => void
}

/**
 * The files that this process is about to open for reads. Its own later writes do not remove them before that, so that
 * a read does not see writes called after it.
 */
export class OpeningFiles {
  readonly #files = new Map<string, Opening>()

  /** Registers a file synchronously. Call the returned function once, when the file is open or cannot be opened. */
  begin(name: string): () => void {
    const opening = this.#files.get(name) ?? this.#first(name)
    opening.count++
    let open = true
    return () => {
      if (open) opening.count--
      open = false
      if (opening.count > 0 || this.#files.get(name) !== opening) return
      this.#files.delete(name)
      opening.end()
    }
  }

  /** Resolves when nobody is about to open the file any more. `undefined` when nobody is. */
  ended(name: string): Promise<void> | undefined {
    return this.#files.get(name)?.ended
  }

  #first(name: string): Opening {
    const { promise: ended, resolve: end } = withResolvers<void>()
    const opening = { count: 0, ended, end }
    this.#files.set(name, opening)
    return opening
  }
}
