import { dirname } from 'node:path'
import ts from 'typescript'
import { root } from './packed-package.js'

/** What an editor shows of declarations: all that their entry files export, with the members of it. */
export class Declarations {
  readonly #checker: ts.TypeChecker
  readonly #directory: string
  readonly #exported: ReadonlySet<ts.Symbol>

  /** @param entries the files that are imported, beside or above all others */
  constructor(entries: readonly string[]) {
    const program = ts.createProgram(entries, {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      strict: true,
      types: ['node'],
      typeRoots: [`${root}node_modules/@types`],
      skipLibCheck: true,
    })
    this.#checker = program.getTypeChecker()
    this.#directory = dirname(entries[0] as string)
    const modules = entries.map(entry => this.#checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.Node))
    // A file without exports is no module.
    this.#exported = new Set(modules.flatMap(module => (module ? this.#exportsOf(module) : [])))
  }

  get names(): string[] {
    return [...this.#exported].map(({ name }) => name)
  }

  /** Public things that have no comment. */
  undocumented(): string[] {
    return this.#each((symbol, name) => (this.#isDocumented(symbol) ? [] : [name]))
  }

  /** Constructors with parameters that have neither a comment nor a tag. */
  undocumentedConstructors(): string[] {
    return this.#inside((node, name) => {
      if (!ts.isConstructorDeclaration(node) || node.parameters.length === 0) return []
      return ts.getJSDocCommentsAndTags(node).length > 0 ? [] : [name]
    })
  }

  /** Members that are not public. */
  notPublic(): string[] {
    return this.#each((symbol, name) => {
      const [declaration] = symbol.declarations ?? []
      const hidden = ts.ModifierFlags.Protected | ts.ModifierFlags.Private
      return declaration && ts.getCombinedModifierFlags(declaration as ts.Declaration) & hidden ? [name] : []
    })
  }

  /** Types of this package that are named and cannot be imported. A base class need not be: nobody writes it. */
  nameless(): string[] {
    return this.#inside((node, name) => {
      if (!ts.isTypeReferenceNode(node) && !ts.isTypeQueryNode(node)) return []
      const symbol = this.#resolved(ts.isTypeReferenceNode(node) ? node.typeName : node.exprName)
      const isOurs = symbol !== undefined && !(symbol.flags & ts.SymbolFlags.TypeParameter) && this.#isOurs(symbol)
      return isOurs && !this.#exported.has(symbol) ? [`${name} has a ${symbol.name}`] : []
    })
  }

  /** Places of `any`. */
  anywhere(): string[] {
    return this.#inside((node, name) => (node.kind === ts.SyntaxKind.AnyKeyword ? [name] : []))
  }

  /** Calls a function for each exported name, its members, and those of object types that are written in them. */
  #each(tell: (symbol: ts.Symbol, name: string) => string[]): string[] {
    const found = [...this.#exported].flatMap(symbol => {
      const members = this.#membersOf(symbol).map(member => [member, `${symbol.name}.${nameOf(member)}`] as const)
      return [[symbol, symbol.name] as const, ...members].flatMap(([one, name]) => tell(one, name))
    })
    const written = this.#inside((node, name) => {
      if (!ts.isTypeLiteralNode(node)) return []
      const members = node.members.flatMap(member =>
        member.name ? [this.#checker.getSymbolAtLocation(member.name)] : [],
      )
      return members.flatMap(member => (member ? tell(member, `${name} { ${nameOf(member)} }`) : []))
    })
    return [...new Set([...found, ...written])].sort()
  }

  /** Calls a function for each node inside of what is exported, and inside of the classes that it extends. */
  #inside(tell: (node: ts.Node, name: string) => string[]): string[] {
    const found = this.#all().flatMap(symbol =>
      this.#declarationsOf(symbol).flatMap(declaration => {
        const told: string[] = []
        const visit = (node: ts.Node, name: string): void => {
          const own = isMember(node) && node.name ? `${symbol.name}.${node.name.getText()}` : name
          told.push(...tell(node, own))
          ts.forEachChild(node, child => visit(child, own))
        }
        ts.forEachChild(declaration, child => visit(child, symbol.name))
        return told
      }),
    )
    return [...new Set(found)].sort()
  }

  /** What is exported, and the base classes that are not. */
  #all(): ts.Symbol[] {
    const all = new Set(this.#exported)
    for (const symbol of all) {
      for (const declaration of this.#declarationsOf(symbol)) {
        if (!ts.isClassLike(declaration)) continue
        const bases = (declaration.heritageClauses ?? []).flatMap(({ types }) => [...types])
        for (const { expression } of bases) {
          const base = this.#resolved(expression)
          if (base && this.#isOurs(base)) all.add(base)
        }
      }
    }
    return [...all]
  }

  #membersOf(symbol: ts.Symbol): ts.Symbol[] {
    const [declaration] = this.#declarationsOf(symbol)
    if (!declaration || !(ts.isClassLike(declaration) || ts.isInterfaceDeclaration(declaration))) return []
    const instance = this.#checker.getPropertiesOfType(this.#checker.getDeclaredTypeOfSymbol(symbol))
    const statics = this.#checker.getPropertiesOfType(this.#checker.getTypeOfSymbolAtLocation(symbol, declaration))
    const own = [...instance, ...statics].filter(member => member.name !== 'prototype' && this.#isOurs(member))
    return own.filter(({ name }) => !name.startsWith('#') && !name.startsWith('__#'))
  }

  #exportsOf(module: ts.Symbol): ts.Symbol[] {
    return this.#checker.getExportsOfModule(module).map(symbol => this.#unaliased(symbol))
  }

  #resolved(node: ts.Node): ts.Symbol | undefined {
    const symbol = this.#checker.getSymbolAtLocation(node)
    return symbol && this.#unaliased(symbol)
  }

  #unaliased(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol
  }

  #isDocumented(symbol: ts.Symbol): boolean {
    return symbol.getDocumentationComment(this.#checker).length > 0
  }

  #declarationsOf({ declarations = [] }: ts.Symbol): ts.Declaration[] {
    return declarations.filter(declaration => declaration.getSourceFile().fileName.startsWith(this.#directory))
  }

  #isOurs(symbol: ts.Symbol): boolean {
    return this.#declarationsOf(symbol).length > 0
  }
}

function isMember(node: ts.Node): node is ts.ClassElement | ts.TypeElement {
  return ts.isClassElement(node) || ts.isTypeElement(node)
}

/** `__@asyncDispose@12` is the compiler's name of the member `[Symbol.asyncDispose]`. */
function nameOf({ name }: ts.Symbol): string {
  return name.startsWith('__@') ? `[${name.split('@')[1]}]` : name
}
