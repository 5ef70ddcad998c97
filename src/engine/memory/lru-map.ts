/** An entry of an `LruMap`, with its key, its size and its neighbours. */
export interface LruNode<Key, Node> {
  readonly key: Key
  /** Bytes counted against the limit. They must not change while the entry is in the map. */
  readonly bytes: number
  newer: Node | undefined
  older: Node | undefined
}

/**
 * A map limited by entries and bytes, which evicts the least recently used entry. The order is a linked list through
 * the entries: a hit moves pointers and does not touch the Map, whose delete and set would take ten times as long.
 */
export class LruMap<Key, Node extends LruNode<Key, Node>> {
  readonly maxItems: number
  readonly maxBytes: number
  readonly #nodes = new Map<Key, Node>()
  readonly #removed: (node: Node) => void
  #newest: Node | undefined
  #oldest: Node | undefined
  #bytes = 0
  /** Number of evicted entries. */
  evictions = 0

  /** @param removed called for each entry that is removed for whatever reason, except by `clear` */
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

  /** Reads an entry without marking it as used. */
  peek(key: Key): Node | undefined {
    return this.#nodes.get(key)
  }

  /** Marks an entry of this map as the most recently used. */
  use(node: Node): void {
    if (node === this.#newest) return
    this.#unlink(node)
    this.#link(node)
  }

  /** Adds an entry, replaces the one with its key, and evicts the oldest beyond the limits. */
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

  /** Removes an entry, if it is still in this map. */
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
