import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

// The tables beside this file say, for each thing that the suite of DiskCache shows, which of our tests shows it, or why
// none does. They have an entry for every name:
//   { "test_core.py": { "test_add": [["contract/items.ts", "a part of one title"], "reason: words of ARCHITECTURE.md"] } }
// An entry that is one string is a reason alone. Paths are those below test/.

/** A test, by its file and a part of its title that no other title of that file has; or `reason: …`. */
type Shown = readonly [file: string, title: string] | string
type Table = Readonly<Record<string, Readonly<Record<string, string | readonly Shown[]>>>>

/** How many names each part of the list has: DiskCache's test files, its defects, what it does not test, what users ask for. */
const NAMES: Readonly<Record<string, number>> = {
  'test_core.py': 87,
  'test_fanout.py': 42,
  'test_deque.py': 33,
  'test_index.py': 12,
  'test_recipes.py': 5,
  'test_djangocache.py': 64,
  'test_doctest.py': 6,
  'stress and issue scripts': 8,
  bugs: 18,
  untested: 16,
  'wishes of users': 47,
}

const REASON = 'reason: '
const tests = fileURLToPath(new URL('../', import.meta.url))
const reasons = withoutBreaks(readFileSync(new URL('../../ARCHITECTURE.md', import.meta.url), 'utf8'))
const entries = readdirSync(new URL('.', import.meta.url))
  .filter(file => file.endsWith('.json'))
  .flatMap(file => {
    const table = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as Table
    return Object.entries(table).flatMap(([part, names]) =>
      Object.entries(names).map(([name, shown]) => ({
        part,
        name,
        shown: typeof shown === 'string' ? [shown] : shown,
      })),
    )
  })

const titlesOf = memoized((file: string) => {
  const path = `${tests}${file}`
  return existsSync(path) ? titlesIn(readFileSync(path, 'utf8')) : undefined
})

/** The titles of the tests of a file, as they are written: `%s` and `${}` are not filled in. */
function titlesIn(text: string): string[] {
  const titles: string[] = []
  const visit = (node: ts.Node): void => {
    const [title] = ts.isCallExpression(node) ? node.arguments : []
    if (ts.isCallExpression(node) && title && ['it', 'test'].includes(rootOf(node.expression))) {
      if (ts.isStringLiteralLike(title)) titles.push(title.text)
      else if (ts.isTemplateExpression(title)) titles.push(title.getText().slice(1, -1))
    }
    node.forEachChild(visit)
  }
  visit(ts.createSourceFile('test.ts', text, ts.ScriptTarget.Latest, true))
  return titles
}

/** `it` of `it(…)`, `it.skipIf(…)(…)`, `it.each(…)(…)` and of a template after `it.each`. */
function rootOf(callee: ts.Expression): string {
  if (ts.isPropertyAccessExpression(callee) || ts.isCallExpression(callee)) return rootOf(callee.expression)
  if (ts.isTaggedTemplateExpression(callee)) return rootOf(callee.tag)
  return ts.isIdentifier(callee) ? callee.text : ''
}

/** What is wrong with an entry, each as a sentence. */
function faults(shown: readonly Shown[]): string[] {
  if (shown.length === 0) return ['says nothing']
  return shown.flatMap(show => {
    if (typeof show === 'string') return faultOfReason(show)
    const [file, title] = show
    const titles = titlesOf(file)
    if (!titles) return [`${file} is no file`]
    const found = titles.filter(other => withoutBreaks(other).includes(title)).length
    return found === 1 ? [] : [`${file} has ${found} titles with '${title}'`]
  })
}

function faultOfReason(text: string): string[] {
  const words = text.startsWith(REASON) ? withoutBreaks(text.slice(REASON.length)) : ''
  if (words.length < 15) return [`'${text}' is no reason`]
  return reasons.includes(words) ? [] : [`ARCHITECTURE.md does not say '${words}'`]
}

function withoutBreaks(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function memoized<T>(make: (key: string) => T): (key: string) => T {
  const made = new Map<string, T>()
  return key => {
    const value = made.has(key) ? (made.get(key) as T) : make(key)
    made.set(key, value)
    return value
  }
}

describe('the tables of what upstream shows', () => {
  it('name every test of upstream once', () => {
    const counted: Record<string, number> = {}
    for (const { part } of entries) counted[part] = (counted[part] ?? 0) + 1
    expect(counted).toEqual(NAMES)
    const named = entries.map(({ part, name }) => `${part} ${name}`)
    expect(named.filter((name, at) => named.indexOf(name) !== at)).toEqual([])
  })

  it('name a test of ours for each, or a reason that ARCHITECTURE.md gives', () => {
    const found = entries.flatMap(({ part, name, shown }) => faults(shown).map(fault => `${part} ${name}: ${fault}`))
    expect(found).toEqual([])
  })
})

describe('the checks above', () => {
  it.each([
    ['no file', [['engine/nothing.test.ts', 'a title']]],
    ['no such title', [['upstream/coverage.test.ts', 'a title that is nowhere, as you may read here']]],
    ['several such titles', [['upstream/coverage.test.ts', 'name']]],
    ['a reason that nobody gives', ['reason: the moon was in the wrong quarter']],
    ['an empty reason', ['reason: ']],
    ['nothing', []],
  ] as [string, Shown[]][])('object to %s', (_, shown) => {
    expect(faults(shown)).toHaveLength(1)
  })

  it('see titles however they are written, and those of tests alone', () => {
    const text = `
      describe('a group', () => { it('plain', () => {}); it.skipIf(true)('skipped', f); it.each([['row']])("each %s", f) })
      test(\`of
        lines and \${n}\`, f); other('call')`
    expect(titlesIn(text).map(withoutBreaks)).toEqual(['plain', 'skipped', 'each %s', `of lines and \${n}`])
  })
})
