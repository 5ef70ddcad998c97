import { loadPackage } from '../harness/project.mjs'

/** Opens once in a process that has run nothing before, and prints the milliseconds. */
const { directory, kind } = JSON.parse(process.argv[2])
const project = await loadPackage()
const startedAt = performance.now()
const cache = await new project[kind](directory).open()
console.log(performance.now() - startedAt)
await cache.close()
