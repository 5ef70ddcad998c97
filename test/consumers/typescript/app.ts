import { strictEqual } from 'node:assert/strict'
import { Cache } from 'fanout-cache'

interface User {
  name: string
}

async function main(directory: string): Promise<void> {
  const cache = new Cache(directory, { timeout: '1m' })
  const stored: boolean = await cache.set(['user', 1], { name: 'Ann' }, { ttl: '5m', tag: 'users' })
  strictEqual(stored, true)
  const user: User | undefined = await cache.get<User>(['user', 1])
  strictEqual(user?.name, 'Ann')
  const closed: undefined | void = await cache.close()
  strictEqual(closed, undefined)
  console.log('ok')
}

/** Never called: what must not compile, and would if the types were lost. */
export async function misuse(cache: Cache): Promise<void> {
  // @ts-expect-error a time to live is a duration
  await cache.set('key', 1, { ttl: true })
  // @ts-expect-error a value of unknown type is no string
  const text: string = await cache.get('key')
  console.log(text)
}

main(process.argv[2] ?? '')
