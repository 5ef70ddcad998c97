import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LruMap, type LruNode } from '../../../src/engine/memory/lru-map.js'

class Node implements LruNode<string, Node> {
  readonly key: string
  readonly bytes: number
  newer: Node | undefined
  older: Node | undefined

  constructor(key: string, bytes: number) {
    this.key = key
    this.bytes = bytes
  }
}

function mapOf(maxItems: number, maxBytes: number): { map: LruMap<string, Node>; removed: string[] } {
  const removed: string[] = []
  return { map: new LruMap<string, Node>(maxItems, maxBytes, node => removed.push(node.key)), removed }
}

describe('LruMap', () => {
  it('lets the least recently used go beyond the number of entries', () => {
    const { map, removed } = mapOf(2, 1000)
    const a = new Node('a', 1)
    map.put(a)
    map.put(new Node('b', 1))
    map.use(a)
    map.put(new Node('c', 1))
    expect(removed).toEqual(['b'])
    expect([map.peek('a')?.key, map.peek('b'), map.peek('c')?.key]).toEqual(['a', undefined, 'c'])
    expect(map.evictions).toBe(1)
  })

  it('lets as many go as the bytes of a new one need', () => {
    const { map, removed } = mapOf(100, 100)
    for (const key of ['a', 'b', 'c']) map.put(new Node(key, 30))
    map.put(new Node('d', 60))
    expect(removed).toEqual(['a', 'b'])
    expect([map.count, map.bytes]).toEqual([2, 90])
  })

  it('refuses what is larger than all of it, and forgets what it would have replaced', () => {
    const { map, removed } = mapOf(10, 100)
    map.put(new Node('a', 10))
    map.put(new Node('a', 101))
    expect(map.peek('a')).toBeUndefined()
    expect([map.count, map.bytes, removed]).toEqual([0, 0, ['a']])
  })

  it('deletes an entry once, and none that has replaced it', () => {
    const { map } = mapOf(10, 100)
    const old = new Node('a', 10)
    map.put(old)
    const present = new Node('a', 20)
    map.put(present)
    map.delete(old)
    expect(map.peek('a')).toBe(present)
    map.delete(present)
    map.delete(present)
    expect([map.count, map.bytes]).toEqual([0, 0])
  })

  it('behaves as a list in order of use does', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const step = fc.oneof(
      fc.record({ do: fc.constant('put' as const), key, bytes: fc.integer({ min: 0, max: 50 }) }),
      fc.record({ do: fc.constantFrom('use' as const, 'delete' as const), key }),
      fc.record({ do: fc.constant('clear' as const) }),
    )
    const property = fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const { map } = mapOf(3, 100)
      let model: Node[] = []
      for (const one of steps) {
        if (one.do === 'clear') {
          map.clear()
          model = []
        } else if (one.do === 'put') {
          const node = new Node(one.key, one.bytes)
          map.put(node)
          model = [node, ...model.filter(({ key: known }) => known !== one.key)]
          while (model.length > 3 || sum(model) > 100) model.pop()
        } else {
          const node = map.peek(one.key)
          expect(node).toBe(model.find(({ key: known }) => known === one.key))
          if (!node) continue
          if (one.do === 'use') map.use(node)
          else map.delete(node)
          model = model.filter(other => other !== node)
          if (one.do === 'use') model.unshift(node)
        }
        expect([map.count, map.bytes]).toEqual([model.length, sum(model)])
      }
    })
    fc.assert(property, { numRuns: 300 })
  })
})

function sum(nodes: readonly Node[]): number {
  return nodes.reduce((bytes, node) => bytes + node.bytes, 0)
}
