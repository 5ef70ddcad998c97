import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Small projects which are copied elsewhere, given the packed package, and run there.
    exclude: ['**/node_modules/**', 'test/consumers/**', 'test/hosts/**'],
    // Tests start processes and load a native module: each file gets a process of its own.
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    retry: 0,
    // The package is loaded by Node itself, as users load it.
    server: { deps: { external: [/\/dist\/[^/]+\.[cm]js$/] } },
  },
})
