import module from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The file that this module was built into. Webpack tells where it was when the bundle was made. */
export function ownFile(): string {
  // Bundlers that write CommonJS leave nothing of `import.meta`, esbuild for one.
  const url: string | undefined = import.meta.url
  return url?.startsWith('file:') ? fileURLToPath(url) : bundleFile()
}

/** The file that is running, if this module is in a bundle. */
export function bundleFile(): string {
  try {
    return __filename
  } catch {
    // An ES module. `typeof` would not do: webpack claims that there is a name even where there is none.
    return process.argv[1] ?? join(process.cwd(), 'bundle.js')
  }
}

/** A `require` that finds what is installed for this package. */
export function ownRequire(): NodeJS.Require {
  // Webpack takes `createRequire` for its own where it is imported by its name.
  return module.createRequire(pathToFileURL(ownFile()))
}
