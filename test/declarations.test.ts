import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { Declarations } from './helpers/declarations.js'
import { manifest, root } from './helpers/packed-package.js'
import { temporaryDirectory } from './helpers/temp-directory.js'

/** What a subclass of the interceptor of `@nestjs/cache-manager` may use and replace; ours stands in its place. */
const HOOKS = [
  ...['allowedMethods', 'cacheManager', 'httpAdapterHost', 'isRequestCacheable', 'reflector'],
  ...['setHeadersWhenHttp', 'trackBy'],
].map(name => `CacheInterceptor.${name}`)

let declarations: Declarations | undefined

/** Those of all that package.json exports, read once. */
function shown(): Declarations {
  const targets = Object.values(manifest.exports).filter(target => typeof target === 'object')
  declarations ??= new Declarations(targets.map(({ import: { types } }) => join(root, types)))
  return declarations
}

describe('the declarations of the package', () => {
  it('name what it exports', () => {
    expect(shown().names).toEqual(
      expect.arrayContaining(['Cache', 'Waiting', 'KeyvDiskStore', 'CacheModule', 'sendFile']),
    )
  })

  it('say of each name and each member what it is', () => {
    expect(shown().undocumented()).toEqual([])
  })

  it('say of each constructor what it takes or throws', () => {
    expect(shown().undocumentedConstructors()).toEqual([])
  })

  it('show no internals of classes', () => {
    expect(shown().notPublic()).toEqual(HOOKS)
  })

  it('name no type that cannot be imported', () => {
    expect(shown().nameless()).toEqual([])
  })

  it('have no any', () => {
    expect(shown().anywhere()).toEqual([])
  })
})

describe('the checks above', () => {
  let file: string

  beforeEach(() => {
    file = join(temporaryDirectory(), 'index.d.ts')
  })

  /** Without `export {}` all of it would be exported. */
  function read(text: string): Declarations {
    writeFileSync(file, `${text}\nexport {}`)
    return new Declarations([file])
  }

  it('see what has no comment, also where it is inherited or written in place', () => {
    const found = read(`
      /** Said. */
      declare abstract class Base {
        kept(): void
        /** Said. */
        said(): void
      }
      /** Said. */
      export declare class B extends Base {
        override said(): void
        static made: B
      }
      export interface Options {
        /** Said. */
        a: { b: number }
      }
      /** Said. */
      export declare function f(options: { a?: number }): void`)
    expect(found.undocumented()).toEqual(['B.kept', 'B.made', 'Options', 'Options.a { b }', 'f { a }'])
  })

  it('see constructors of exported and of base classes', () => {
    const found = read(`
      declare abstract class Base { protected constructor(a: object) }
      export declare class A extends Base { constructor() }
      export declare class B extends Base {
        /** @throws TypeError always */
        constructor(a: object)
      }
      export declare class C { constructor(a: object) }`)
    expect(found.undocumentedConstructors()).toEqual(['Base', 'C'])
  })

  it('see members that are not public, types without an export, and any', () => {
    const found = read(`
      interface Hidden<T> { a: T }
      declare class Base { protected one: number; private two }
      export interface Known { a: string }
      export declare class A extends Base { three: Hidden<Known>; four(a: any[]): void }`)
    expect(found.notPublic()).toEqual(['A.one', 'A.two'])
    expect(found.nameless()).toEqual(['A.three has a Hidden'])
    expect(found.anywhere()).toEqual(['A.four'])
  })
})
