import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'
import { EVENTUALLY } from './test/helpers/patience.js'

/** Small projects which are copied elsewhere, given the packed package, and run there. */
const COPIED = ['test/consumers/**', 'test/hosts/**']
/** Rates and ticks of the loop: these run one after another when everything else is done. */
const TIMED = ['test/loop/**/*.test.ts']

export default defineConfig({
  test: {
    // Tests start processes and load a native module: each file gets a process of its own.
    pool: 'forks',
    // Deadlines are there for what hangs: what works, if slowly because others load the machine, shall meet them.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: EVENTUALLY },
    setupFiles: ['test/helpers/equal-bytes.ts'],
    retry: 0,
    // The package is loaded by Node itself, as users load it.
    server: { deps: { external: [/\/dist\/[^/]+\.[cm]js$/] } },
    projects: [
      {
        extends: true,
        test: {
          name: 'behaviour',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...COPIED, ...TIMED],
          // They wait for processes, locks and leases for most of their time.
          maxWorkers: Math.max(3, Math.floor(availableParallelism() / 2)),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'timed', include: TIMED, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
})
