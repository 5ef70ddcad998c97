// An app that is bundled with the package in it: what it does on the main thread and in threads, as JSON.
import { FanoutCache, startUpkeep } from 'fanout-cache'

const cache = new FanoutCache(process.argv[2], { shards: 2 })
const errors = []
cache.on('error', error => errors.push(error.message))

async function run() {
  await cache.set('key', new Map([['a', 1]]))
  const value = await cache.get('key')
  const findings = await cache.check().catch(error => error.message)
  const round = await startUpkeep(cache).run()
  await cache.close()
  console.log(JSON.stringify({ size: value.size, findings, worked: round !== undefined, errors }))
}

run()
