const { strictEqual } = require('node:assert/strict')
const { dirname, join } = require('node:path')
const { Cache, FanoutCache } = require('fanout-cache')

// Where Node can require a module, it refuses one that has a top-level await.
if (process.features.require_module) require(join(dirname(require.resolve('fanout-cache')), 'index.mjs'))

async function main() {
  const cache = new Cache(process.argv[2])
  await cache.set('answer', 42)
  strictEqual(await cache.get('answer'), 42)
  await cache.close()
  strictEqual(typeof FanoutCache, 'function')
  console.log('ok')
}

main()
