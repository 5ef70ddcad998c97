import { Cache } from 'fanout-cache'
import { expect, it, onTestFinished } from 'vitest'
import { BusyClock } from '../helpers/busy-clock.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const CHANGE = `BEGIN; UPDATE Cache SET value = 'new', store_time = store_time + 1;
  UPDATE EntryTag SET tag = replace(tag, 'old', 'new'); COMMIT`

it.each(['getItem', 'read'] as const)('%s answers the tags of the value that it answers', async verb => {
  for (const looks of [1, 2, 3]) {
    const directory = temporaryDirectory()
    const clock = new BusyClock()
    const cache = new Cache(directory, { clock })
    onTestFinished(() => cache.close())
    await cache.set('k', 'old', { tags: ['old 1', 'old 2'] })
    const other = rawDatabase(directory)
    clock.at(looks, () => other.exec(CHANGE))
    const found = verb === 'read' ? await cache.read('k') : await cache.getItem<string>('k')
    clock.rest()
    const value = found && 'value' in found ? found.value : String(await found?.bytes())
    expect(found?.tags).toEqual([`${value} 1`, `${value} 2`])
  }
})
