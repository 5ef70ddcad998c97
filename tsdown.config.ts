import { defineConfig } from 'tsdown'

/** What is built, by the name it has in dist. A door also needs its lines in `exports` and `typesVersions` of package.json. */
const entry = {
  index: 'src/engine/index.ts',
  express: 'src/middleware/index.ts',
  'maintenance-worker': 'src/engine/maintenance/worker.ts',
}

export default defineConfig({
  entry,
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  // `.mjs` and `.cjs` beside each other, all of them directly in dist: a worker is started by its URL relative to its caller.
  fixedExtension: true,
  // `import.meta.url` in the CommonJS files.
  shims: true,
  sourcemap: true,
  minify: false,
  dts: { sourcemap: false },
  // The build fails when code or declarations of another package would be copied into the output.
  deps: { onlyBundle: [] },
  outputOptions: {
    // CommonJS is sloppy unless it says otherwise.
    strict: true,
    // The bundler's own helpers get a file: left alone they are put into index.cjs and show among its exports.
    codeSplitting: { groups: [{ name: 'runtime', test: /rolldown[\\/]runtime/ }] },
  },
  failOnWarn: true,
})
