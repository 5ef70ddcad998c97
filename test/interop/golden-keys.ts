import { readFileSync } from 'node:fs'
import type { Key } from 'fanout-cache'

/** How Python stores a key: recorded, so that a change of either side shows. */
export interface GoldenKey {
  readonly key: string
  readonly enc: string | number
  readonly raw: boolean
  readonly shard8: number
  readonly json: string | null
  readonly jsonhash8: number | null
}

/** Each recorded key as Python says it, and as Node does where it can. */
const SAID: Readonly<Record<string, readonly [python: string, node?: Key]>> = {
  None: ['None', null],
  True: ['True', true],
  False: ['False', false],
  '0': ['0', 0],
  '1': ['1', 1],
  '-1': ['-1', -1],
  '2**31': ['2 ** 31', 2 ** 31],
  '4294967295': ['2 ** 32 - 1', 2 ** 32 - 1],
  '4294967296': ['2 ** 32', 2 ** 32],
  '-(2**63)': ['-(2 ** 63)', -(2n ** 63n)],
  '2**63-1': ['2 ** 63 - 1', 2n ** 63n - 1n],
  '2**63': ['2 ** 63', 2n ** 63n],
  '2**64': ['2 ** 64', 2n ** 64n],
  '-(2**63)-1': ['-(2 ** 63) - 1', -(2n ** 63n) - 1n],
  // A number with no fraction is an int to Python.
  '0.0': ['0.0'],
  '-0.0': ['-0.0', -0],
  '1.0': ['1.0'],
  '1.5': ['1.5', 1.5],
  inf: [`float('inf')`, Infinity],
  "''": [`''`, ''],
  "'a'": [`'a'`, 'a'],
  "'hello'": [`'hello'`, 'hello'],
  "'é'": [`'\\xe9'`, '\u00e9'],
  "'😀'": [`'\\U0001f600'`, '\u{1f600}'],
  "b''": [`b''`, Buffer.alloc(0)],
  "b'a'": [`b'a'`, Buffer.from('a')],
  "b'hello'": [`b'hello'`, Buffer.from('hello')],
  '()': ['()', []],
  '(1,)': ['(1,)', [1]],
  '(1,2)': ['(1, 2)', [1, 2]],
  '(1,2,3)': ['(1, 2, 3)', [1, 2, 3]],
  '(1,2,3,4)': ['(1, 2, 3, 4)', [1, 2, 3, 4]],
  "('a',)": [`('a',)`, ['a']],
  "('a','b')": [`('a', 'b')`, ['a', 'b']],
  // The same object twice: a pickle that depends on identity, which Node has no way to say.
  "('a','a') same obj": [`('a', 'a')`],
  "('ab', ''.join-ab) distinct objs": [`('ab', ''.join(['a', 'b']))`, ['ab', 'ab']],
  "('mod.f',1,2,None)": [`('mod.f', 1, 2, None)`, ['mod.f', 1, 2, null]],
  "('mod.f',1,None,'x',4)": [`('mod.f', 1, None, 'x', 4)`, ['mod.f', 1, null, 'x', 4]],
  // Arrays are tuples.
  '[]': ['[]'],
  '[1]': ['[1]'],
  '[1,2]': ['[1, 2]'],
  '{}': ['{}', {}],
  "{'a':1}": [`{'a': 1}`, { a: 1 }],
  "{'a':1,'b':2}": [`{'a': 1, 'b': 2}`, { a: 1, b: 2 }],
  '(1.5,True,None)': ['(1.5, True, None)', [1.5, true, null]],
  "(b'x',)": [`(b'x',)`, [Buffer.from('x')]],
  '255,256,65535,65536,-128': [
    '(255, 256, 65535, 65536, -128, 2 ** 31 - 1, 2 ** 31, -(2 ** 31))',
    [255, 256, 65_535, 65_536, -128, 2 ** 31 - 1, 2 ** 31, -(2 ** 31)],
  ],
  "('f',None,ENOVAL)": [`('f', None, diskcache.core.ENOVAL)`],
  'frozenset()': ['frozenset()'],
  'long str tuple': [`('x' * 300,)`, ['x'.repeat(300)]],
  'set {1}': ['{1}'],
}

/** Told apart from a key that is `null`. */
export const UNSAID = Symbol('no form in Node')

export const GOLDEN_KEYS = (
  JSON.parse(readFileSync(new URL('./fixtures/golden-keys.json', import.meta.url), 'utf8')) as GoldenKey[]
).map(golden => {
  const said = SAID[golden.key]
  if (!said) throw new Error(`no form for the recorded key ${golden.key}`)
  return { ...golden, python: said[0], node: said.length > 1 ? (said[1] as Key) : UNSAID }
})

/** Those that Node can say. */
export const SHARED_KEYS = GOLDEN_KEYS.flatMap(golden =>
  golden.node === UNSAID ? [] : [{ ...golden, node: golden.node as Key }],
)
