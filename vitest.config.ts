import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { EVENTUALLY } from './test/helpers/patience.js'

/** Small projects which are copied elsewhere, given the packed package, and run there. */
const COPIED = ['test/consumers/**', 'test/hosts/**']
/** Rates and ticks of the loop: these run one after another when everything else is done. */
const TIMED = ['test/loop/**/*.test.ts']
/**
 * Files that leave nothing behind in their process share those of the workers: half a second of processor less
 * for each of them. That of taken items replaces timers before the package is loaded.
 */
const TOGETHER = [
  'test/{contract,interop,engine,middleware,adapters}/**/!(deque-taken).test.ts',
  'test/nest-module/{contexts,evictions,flights,health,interceptor,methods,missing-manager,module,serializers,wrong-decorators}.test.ts',
]
/** Files of a minute: one that began last would have the workers wait for it. */
const LONG = [
  'test/examples',
  'nest-module/hosts',
  'test/package-types',
  'conformance/public-suite',
  'cli/import-faults',
  'faults/locks',
  'faults/kill',
]
/** They wait for processes, locks and leases for most of their time. */
const WORKERS = Math.max(4, availableParallelism())

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex(name => moduleId.includes(name))
      return at < 0 ? LONG.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

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
    sequence: { sequencer: LongestFirst },
    // The package is loaded by Node itself, as users load it.
    server: { deps: { external: [/\/dist\/[^/]+\.[cm]js$/] } },
    projects: [
      {
        extends: true,
        test: {
          name: 'behaviour',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...COPIED, ...TIMED, ...TOGETHER],
          maxWorkers: WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: TOGETHER,
          exclude: [...configDefaults.exclude, ...COPIED],
          isolate: false,
          maxWorkers: WORKERS,
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
