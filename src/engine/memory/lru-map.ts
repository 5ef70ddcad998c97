/** What an `LruMap` holds: an entry that knows its key, its size and its neighbours. */
export interface LruNode<Key, Node> {
  readonly key: Key
  /** Counted against the limit; it must not change while the entry is in the map. */
  readonly bytes: number
  newer: Node | undefined
  older: Node | undefined
}

/**
 * A map bounded by entries and bytes, from which the least recently used go first. The order is a list through the
 * entries themselves: a hit moves pointers and leaves the Map alone, whose delete and set would take ten times as long.
 */
export class LruMap<Key, Node extends LruNode<Key, Node>> {
  readonly maxItems: number
  readonly maxBytes: number
  readonly #nodes = new Map<Key, Node>()
  readonly #removed: (node: Node) => void
  #newest: Node | undefined
  #oldest: Node | undefined
  #bytes = 0
  /** Entries that made room for others. */
  evictions = 0

  /** @param removed is told of each entry that goes, whatever the reason, but not by `clear` */
  constructor(maxItems: number, maxBytes: number, removed: (node: Node) => void = () => undefined) {
    this.maxItems = maxItems
    this.maxBytes = maxBytes
    this.#removed = removed
  }

  get count(): number {
    return this.#nodes.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Looks without counting it as a use. */
  peek(key: Key): Node | undefined {
    return this.#nodes.get(key)
  }

  /** Makes an entry of this map the most recently used. */
  use(node: Node): void {
    if (node === this.#newest) return
    this.#unlink(node)
    this.#link(node)
  }

  /** Puts an entry in the place of the one with its key, and lets the oldest go beyond the limits. */
  put(node: Node): void {
    const replaced = this.#nodes.get(node.key)
    if (replaced) this.delete(replaced)
    if (node.bytes > this.maxBytes) return
    this.#nodes.set(node.key, node)
    this.#bytes += node.bytes
    this.#link(node)
    while (this.#bytes > this.maxBytes || this.#nodes.size > this.maxItems) {
      this.evictions++
      this.delete(this.#oldest as Node)
    }
  }

  /** Takes out an entry, if it is in this map still. */
  delete(node: Node): void {
    if (this.#nodes.get(node.key) !== node) return
    this.#nodes.delete(node.key)
    this.#bytes -= node.bytes
    this.#unlink(node)
    this.#removed(node)
  }

  clear(): void {
    this.#nodes.clear()
    this.#newest = undefined
    this.#oldest = undefined
    this.#bytes = 0
  }

  #link(node: Node): void {
    const second = this.#newest
    node.older = second
    if (second) second.newer = node
    else this.#oldest = node
    this.#newest = node
  }

  #unlink(node: Node): void {
    const { newer, older } = node
    if (newer) newer.older = older
    else this.#newest = older
    if (older) older.newer = newer
    else this.#oldest = newer
    node.newer = undefined
    node.older = undefined
  }
}
