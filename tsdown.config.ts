import { defineConfig } from 'tsdown'

/** What is built, by the name it has in dist. A door also needs its lines in `exports` and `typesVersions` of package.json. */
const entry = {
  index: 'src/engine/index.ts',
  keyv: 'src/adapters/keyv/index.ts',
  keyv6: 'src/adapters/keyv6/index.ts',
  'cache-manager': 'src/adapters/cache-manager/index.ts',
  bentocache: 'src/adapters/extra/bentocache.ts',
  cachified: 'src/adapters/extra/cachified.ts',
  'express-rate-limit': 'src/adapters/extra/express-rate-limit.ts',
  'express-session': 'src/adapters/extra/express-session.ts',
  next: 'src/adapters/next/index.ts',
  unstorage: 'src/adapters/extra/unstorage.ts',
  'prom-client': 'src/adapters/metrics/prom-client.ts',
  opentelemetry: 'src/adapters/metrics/opentelemetry.ts',
  nest: 'src/nest-module/index.ts',
  express: 'src/middleware/index.ts',
  cli: 'src/cli/index.ts',
  'fanout-cache/maintenance-worker': 'src/engine/maintenance/worker.ts',
  'fanout-cache/upkeep-worker': 'src/engine/upkeep/worker.ts',
}

export default defineConfig({
  entry,
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  // `.mjs` and `.cjs` beside each other. A thread is found in the folder `fanout-cache` beside its caller.
  fixedExtension: true,

  minify: false,
  // Readable as it is; maps were three fifths of the package.
  sourcemap: false,
  dts: { sourcemap: false },
  // TypeScript 6 and later look for the types of Node only where something asks for them.
  banner: { dts: '/// <reference types="node" />' },
  // The build fails when code or declarations of another package would be copied into the output.
  deps: { onlyBundle: [] },
  // Or the declarations of a door that never names it would import it.
  treeshake: { moduleSideEffects: [{ test: /^better-sqlite3$/, sideEffects: false }] },
  outputOptions: {
    // CommonJS is sloppy unless it says otherwise.
    strict: true,
    // A default export is one name among the others, to `require` too.
    exports: 'named',
    // The bundler's own helpers get a file: left alone they are put into index.cjs and show among its exports.
    codeSplitting: { groups: [{ name: 'runtime', test: /rolldown[\\/]runtime/ }] },
  },
  failOnWarn: true,
})
