// Compiles apps, by the paths of their tsconfig files, and prints as JSON what is wrong with each: in the app itself
// and in the declarations of this package. Those of other packages are read, and not checked, which takes most of the
// time of `tsc`; what several apps read is parsed once.
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

// Imported, it would be searched for names first: it has nine megabytes.
const ts = createRequire(import.meta.url)('typescript')

/** Declarations by path and kind of module, once for all apps: their options differ in how modules are found only. */
const parsed = new Map()

function hostFor(options) {
  const host = ts.createCompilerHost(options)
  const { getSourceFile } = host
  host.getSourceFile = (path, version, ...others) => {
    if (!path.endsWith('.d.ts') && !path.endsWith('.d.mts') && !path.endsWith('.d.cts')) {
      return getSourceFile.call(host, path, version, ...others)
    }
    const key = `${path} ${version.impliedNodeFormat} ${version.languageVersion}`
    if (!parsed.has(key)) parsed.set(key, getSourceFile.call(host, path, version, ...others))
    return parsed.get(key)
  }
  return host
}

function isChecked({ fileName }) {
  return !fileName.includes('/node_modules/') || fileName.includes('/node_modules/fanout-cache/dist/')
}

function compile(path) {
  const { config, error } = ts.readConfigFile(path, ts.sys.readFile)
  if (error) return [error]
  const { fileNames, options, errors } = ts.parseJsonConfigFileContent(config, ts.sys, dirname(path))
  const program = ts.createProgram({ rootNames: fileNames, options, host: hostFor(options) })
  const found = [...errors, ...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()]
  for (const file of program.getSourceFiles().filter(isChecked)) {
    found.push(...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file))
    // File by file: all at once are checked with all that they read.
    if (!options.noEmit && !file.isDeclarationFile) found.push(...program.emit(file).diagnostics)
  }
  return found
}

/** In the words of `tsc`. */
function format(path, diagnostics) {
  const host = { getCurrentDirectory: () => dirname(path), getNewLine: () => '\n', getCanonicalFileName: name => name }
  return diagnostics.map(diagnostic => ts.formatDiagnostic(diagnostic, host).trim())
}

console.log(JSON.stringify(process.argv.slice(2).map(path => format(path, compile(path)))))
