import { expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { HostApp, hostInstalled } from '../helpers/host.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** How many scenarios each app has: none of them may get lost. */
const HOSTS = [
  ['cache-manager5', 9],
  ['cache-manager6', 24],
  ['keyv6', 7],
] as const

for (const [name, count] of HOSTS) {
  it.runIf(hostInstalled(name))(`the packed package keeps the promises of ${name}`, async () => {
    const app = await HostApp.prepare(name)
    onTestFinished(() => app.remove())
    const lines = await new FixtureProcess(app.script('app.mjs'), { root: temporaryDirectory() }).done()
    expect(lines.filter(line => line.startsWith('failed'))).toEqual([])
    expect(lines.filter(line => line.startsWith('ok '))).toHaveLength(count)
    expect(lines.at(-1)).toBe('done')
  })
}
