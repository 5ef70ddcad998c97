import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

/**
 * What each room of src may import besides its own files, what serves all rooms and Node's modules. A name that ends in `/` is a folder with
 * all below it, `engine/*` the files directly in it, any other name one file; the most exact room counts. `type x`
 * allows types only, `npm:x` is a package. What is in no room fails the test: give it one.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'engine/time': ['engine/option-names'],
  'engine/errors': [],
  'engine/configuration': ['type engine/time', 'type engine/disk/codec'],
  'engine/options': ['type engine/configuration', 'type engine/time'],
  'engine/events': ['type engine/errors', 'engine/option-names', 'type engine/options'],
  'engine/contract': ['type engine/events', 'type engine/options', 'type engine/transaction-contract'],
  'engine/transaction-contract': ['type engine/contract', 'type engine/options'],
  'engine/call': ['type engine/options'],

  'engine/fairness': [],
  'engine/file-errors': [],
  'engine/kept-shapes': [],
  'engine/make-directory': ['engine/file-errors'],
  'engine/read-directory': ['engine/file-errors'],
  'engine/on-abort': [],
  'engine/once-per-process': [],
  'engine/option-names': [],
  'engine/translate-error': [
    'engine/errors',
    'engine/file-errors',
    'engine/database/sqlite-errors',
    'engine/database/full-disk',
  ],

  'engine/observe/': ['type engine/', 'engine/once-per-process'],

  'engine/database/': [
    'engine/fairness',
    'type engine/observe/',
    'engine/errors',
    'engine/file-errors',
    'engine/kept-shapes',
    'engine/make-directory',
    'engine/on-abort',
    'engine/time',
    'type engine/options',
    'type engine/disk/',
    'npm:better-sqlite3',
  ],
  'engine/disk/': [
    'engine/errors',
    'engine/file-errors',
    'engine/kept-shapes',
    'engine/make-directory',
    'engine/time',
    'type engine/options',
    'npm:pako',
  ],
  'engine/operations/': [
    'engine/errors',
    'type engine/options',
    'type engine/disk/',
    'engine/disk/modes',
    'engine/disk/keys',
    'type engine/database/',
    'engine/database/statements',
    'engine/database/eviction-policies',
    'engine/database/schema',
    'engine/database/schema-write',
  ],
  'engine/maintenance/': [
    'engine/errors',
    'engine/file-errors',
    'engine/read-directory',
    'engine/time',
    'engine/translate-error',
    'type engine/options',
    'type engine/shards/',
    'engine/database/',
    'engine/disk/',
    'engine/operations/',
  ],
  'engine/shards/': [
    'engine/once-per-process',
    'engine/observe/',
    'engine/errors',
    'engine/file-errors',
    'engine/make-directory',
    'engine/read-directory',
    'engine/time',
    'engine/option-names',
    'engine/translate-error',
    'type engine/cache-options',
    'type engine/events',
    'engine/database/',
    'engine/disk/',
    'engine/operations/',
    'engine/maintenance/',
    'engine/memory/',
  ],
  'engine/verbs/': [
    'engine/observe/verbs',
    'engine/errors',
    'engine/fairness',
    'engine/file-errors',
    'engine/on-abort',
    'engine/once-per-process',
    'engine/time',
    'engine/option-names',
    'engine/translate-error',
    'engine/cache-options',
    'type engine/cache-handle',
    'type engine/call',
    'type engine/contract',
    'type engine/options',
    'engine/shards/',
    'engine/database/',
    'engine/disk/',
    'engine/operations/',
    'engine/maintenance/',
    'engine/memory/',
  ],
  'engine/memory/': [
    'type engine/options',
    'type engine/events',
    'type engine/shards/',
    'type engine/database/',
    'type engine/disk/',
    'engine/disk/keys',
    'engine/disk/plain-data',
    'engine/operations/entries',
  ],
  'engine/upkeep/': [
    'engine/*',
    'engine/shards/',
    'engine/database/',
    'engine/disk/',
    'engine/observe/counters',
    'engine/operations/',
    'engine/maintenance/',
    'type engine/',
  ],
  'engine/doors/': [
    'engine/*',
    'engine/observe/verbs',
    'engine/verbs/',
    'engine/operations/',
    'engine/disk/',
    'type engine/',
  ],
  'engine/collections/': [
    'engine/*',
    'engine/observe/verbs',
    'engine/verbs/',
    'engine/operations/',
    'engine/disk/',
    'type engine/',
  ],
  'engine/recipes/': [
    'engine/*',
    'engine/observe/verbs',
    'engine/verbs/',
    'engine/operations/',
    'engine/disk/',
    'type engine/',
  ],
  'engine/views/': [
    'engine/*',
    'engine/observe/verbs',
    'engine/verbs/',
    'engine/operations/',
    'engine/disk/',
    'type engine/',
    'type npm:@standard-schema/spec',
  ],
  'engine/transfer/': [
    'engine/*',
    'engine/verbs/',
    'engine/operations/',
    'engine/maintenance/',
    'engine/shards/',
    'engine/database/',
    'engine/disk/',
  ],
  'engine/*': ['engine/'],

  'adapters/': ['engine/index', 'engine/for-adapters', 'npm:keyv', 'npm:express-session'],
  'adapters/metrics/': ['engine/for-metrics', 'npm:prom-client', 'npm:@opentelemetry/api'],
  'middleware/': [
    'engine/index',
    'engine/for-doors',
    'engine/for-files',
    'npm:content-disposition',
    'npm:mime-types',
    'type npm:express',
  ],
  'middleware/policy/': ['engine/time', 'engine/option-names', 'npm:range-parser', 'npm:structured-headers'],
  'nest-module/': [
    'engine/index',
    'engine/for-adapters',
    'engine/option-names',
    'engine/time',
    'adapters/',
    'middleware/policy/',
    'npm:@nestjs/common',
    'npm:@nestjs/core',
    'npm:reflect-metadata',
    'npm:rxjs',
    'type npm:cache-manager',
  ],
  'cli/': [
    'engine/index',
    'engine/for-cli',
    'engine/for-maintenance',
    'engine/for-transfer',
    'engine/for-watch',
    'npm:commander',
    'npm:cli-progress',
  ],
}

/** What stands for something of Node's, and all rooms may import. */
const FOR_ALL = ['engine/newer-node', 'engine/own-place', 'engine/timers']
/** The only file that asks the system what time it is. */
const CLOCK = 'engine/time.ts'
/** The only file that takes timers from where a test may replace them. The command line has a process of its own. */
const TIMERS = 'engine/timers'
const REPLACEABLE = ['setImmediate', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance']
const LONGEST = 300

const src = fileURLToPath(new URL('../src/', import.meta.url))

interface Import {
  readonly line: number
  readonly specifier: string
  readonly typeOnly: boolean
}

class Source {
  /** Path below src, with `/`. */
  readonly path: string
  readonly lines: number
  readonly #tree: ts.SourceFile

  constructor(path: string, text: string) {
    this.path = path
    this.lines = text.replace(/\n$/, '').split('\n').length
    this.#tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  }

  get statements(): readonly ts.Statement[] {
    return this.#tree.statements
  }

  lineOf(node: ts.Node): number {
    return this.#tree.getLineAndCharacterOfPosition(node.getStart(this.#tree)).line + 1
  }

  /** `path:line` of all nodes that match. */
  find(matches: (node: ts.Node) => boolean): string[] {
    const found: string[] = []
    this.#walk(node => {
      if (matches(node)) found.push(`${this.path}:${this.lineOf(node)}`)
    })
    return found
  }

  imports(): Import[] {
    const found: Import[] = []
    this.#walk(node => {
      const add = (specifier: ts.Node | undefined, typeOnly: boolean) => {
        if (specifier && ts.isStringLiteralLike(specifier)) {
          found.push({ line: this.lineOf(node), specifier: specifier.text, typeOnly })
        }
      }
      if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node.importClause))
      else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
      else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
      else if (ts.isCallExpression(node) && isLoading(node.expression)) add(node.arguments[0], false)
    })
    return found
  }

  /** Names that are imported from a file of src. */
  importedFrom(file: string): string[] {
    return this.statements.flatMap(statement => {
      if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) return []
      const named = statement.importClause?.namedBindings
      const isIt = targetOf(this.path, statement.moduleSpecifier.text) === file
      return isIt && named && ts.isNamedImports(named) ? named.elements.map(({ name }) => name.text) : []
    })
  }

  #walk(visit: (node: ts.Node) => void): void {
    const step = (node: ts.Node) => {
      visit(node)
      ts.forEachChild(node, step)
    }
    step(this.#tree)
  }
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const named = clause.namedBindings
  return !clause.name && !!named && ts.isNamedImports(named) && named.elements.every(element => element.isTypeOnly)
}

function isLoading(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
}

/** Names of timers that a file uses and does not import, and what would import them past the file that keeps them. */
function replaceableTimers(source: Source): string[] {
  const kept = new Set(source.importedFrom(TIMERS))
  return source.find(node => {
    if (ts.isImportDeclaration(node)) return /['"]node:timers/.test(node.getText())
    if (ts.isPropertyAccessExpression(node)) return node.getText() === 'process.nextTick'
    const isUse =
      ts.isIdentifier(node) && (ts.isCallExpression(node.parent) || ts.isPropertyAccessExpression(node.parent))
    return isUse && node.parent.getChildAt(0) === node && REPLACEABLE.includes(node.text) && !kept.has(node.text)
  })
}

function isSystemTime(node: ts.Node): boolean {
  if (ts.isNewExpression(node)) return node.expression.getText() === 'Date' && !node.arguments?.length
  return ts.isCallExpression(node) && ['Date', 'Date.now'].includes(node.expression.getText())
}

/** Whether a name of the table, without `type`, covers a path without extension or a package. */
function covers(name: string, target: string): boolean {
  if (name.endsWith('/*')) return posix.dirname(target) === name.slice(0, -2)
  return name.endsWith('/') ? target.startsWith(name) : target === name
}

/** The most exact room of a file. */
function roomOf(path: string): string | undefined {
  const exactness = (room: string) => (room.endsWith('/*') ? room.length - 1 : room.length)
  return Object.keys(MAY_IMPORT)
    .filter(room => covers(room, path))
    .sort((a, b) => exactness(b) - exactness(a))[0]
}

/** What an import is called in the table. */
function targetOf(importer: string, specifier: string): string {
  if (specifier.startsWith('.')) return withoutExtension(posix.join(posix.dirname(importer), specifier))
  const [scope, name] = specifier.split('/')
  return `npm:${scope?.startsWith('@') ? `${scope}/${name}` : scope}`
}

function withoutExtension(path: string): string {
  return path.replace(/\.[cm]?[jt]s$/, '')
}

/** Imports that the table does not allow, each as a sentence. */
function forbidden(source: Source): string[] {
  const room = roomOf(withoutExtension(source.path))
  if (room === undefined) return [`${source.path} is in no room of the table`]
  return source.imports().flatMap(({ line, specifier, typeOnly }) => {
    if (isBuiltin(specifier)) return []
    const target = targetOf(source.path, specifier)
    const allowed = (MAY_IMPORT[room] ?? []).some(name => {
      if (!name.startsWith('type ')) return covers(name, target)
      return typeOnly && covers(name.slice('type '.length), target)
    })
    const ownFolder = room.endsWith('/') && target.startsWith(room)
    if (allowed || ownFolder || FOR_ALL.includes(target)) return []
    return [`${source.path}:${line} imports ${typeOnly ? 'the types of ' : ''}${target}, which ${room} may not`]
  })
}

const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter(file => /\.[cm]?ts$/.test(file))
  .map(file => file.split(sep).join('/'))
  .sort()
  .map(path => new Source(path, readFileSync(`${src}${path}`, 'utf8')))

describe('src', () => {
  it('is found', () => {
    expect(sources.length).toBeGreaterThan(0)
  })

  it(`has no file of more than ${LONGEST} lines`, () => {
    const long = sources.filter(({ lines }) => lines > LONGEST)
    expect(long.map(({ path, lines }) => `${path}: ${lines} lines`)).toEqual([])
  })

  it('has nothing but exports in files named index.ts', () => {
    const indexes = sources.filter(({ path }) => posix.basename(path) === 'index.ts')
    const others = indexes.flatMap(source =>
      source.statements
        .filter(statement => !ts.isExportDeclaration(statement) || !statement.moduleSpecifier)
        .map(statement => `${source.path}:${source.lineOf(statement)}`),
    )
    expect(others).toEqual([])
  })

  it('imports in one direction', () => {
    expect(sources.flatMap(forbidden)).toEqual([])
  })

  it('has no any', () => {
    expect(sources.flatMap(source => source.find(node => node.kind === ts.SyntaxKind.AnyKeyword))).toEqual([])
  })

  it(`asks for the time in ${CLOCK} alone`, () => {
    const others = sources.filter(({ path }) => path !== CLOCK)
    expect(others.flatMap(source => source.find(isSystemTime))).toEqual([])
  })

  it(`takes timers from ${TIMERS} alone`, () => {
    const others = sources.filter(({ path }) => withoutExtension(path) !== TIMERS && !path.startsWith('cli/'))
    expect(others.flatMap(replaceableTimers)).toEqual([])
  })
})

describe('the checks above', () => {
  const check = (path: string, text: string) => forbidden(new Source(path, text))

  it.each([
    ['engine/database/writer.ts', `import { Disk } from '../disk/disk.js'`],
    ['engine/disk/disk.ts', `import type { Session } from '../database/session.js'`],
    ['engine/operations/items.ts', `import { Session } from '../database/session.js'`],
    ['engine/operations/items.ts', `export { Session } from '../database/session.js'`],
    ['engine/errors.ts', `type A = import('./cache.js').Cache`],
    ['engine/cache.ts', `const express = await import('express')`],
    ['engine/recipes/lock.ts', `import '../database/writer.js'`],
    ['adapters/keyv.ts', `import { Cache } from '../engine/cache.js'`],
    ['adapters/keyv.ts', `import { Module } from '@nestjs/common'`],
    ['middleware/send-file.ts', `import express from 'express'`],
    ['engine/attic/old.ts', ''],
  ])('object to %s: %s', (path, text) => {
    expect(check(path, text)).toHaveLength(1)
  })

  it.each([
    ['engine/database/writer.ts', `import { isBusy } from './busy.js'; import Database from 'better-sqlite3'`],
    ['engine/operations/items.ts', `import type { Session } from '../database/session.js'`],
    ['engine/operations/items.ts', `import { type Session } from '../database/session.js'; import 'node:fs'`],
    ['engine/cache.ts', `export * from './database/writer.js'`],
    ['engine/disk/pickle/reader.ts', `import { OPCODES } from './opcodes.js'; import '../modes.js'`],
    ['middleware/send-file.ts', `import type { Request } from 'express'; import { Cache } from '../engine/index.js'`],
  ])('allow %s: %s', (path, text) => {
    expect(check(path, text)).toEqual([])
  })

  it('see timers that a test may replace', () => {
    const text = [
      `import { setTimeout } from '../timers.js'`,
      `import { setTimeout as sleep } from 'node:timers/promises'`,
      'setTimeout(() => setImmediate(f), performance.now())',
      'process.nextTick(f)',
    ].join('\n')
    const lines = replaceableTimers(new Source('engine/disk/a.ts', text))
    expect(lines.map(line => Number(line.split(':')[1]))).toEqual([2, 3, 3, 4])
  })

  it('see any and the system time', () => {
    const source = new Source(
      'a.ts',
      'const a = [] as any[]\nconst b = Date.now() + +new Date()\nconst c = new Date(0)',
    )
    expect(source.find(node => node.kind === ts.SyntaxKind.AnyKeyword)).toEqual(['a.ts:1'])
    expect(source.find(isSystemTime)).toEqual(['a.ts:2', 'a.ts:2'])
  })
})
