// Closes a run: what took longest, what passed on its second try or in a second run only, and the counts. Its arguments
// are the JSON reports of Vitest; `report-20-again.json` is that of files which failed in `report-20.json`.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const LONGEST = 15
const AGAIN = /-again(?=\.json$)/

const filesOf = path => JSON.parse(readFileSync(path, 'utf8')).testResults
const nameOf = ({ name }) => relative(process.cwd(), name).replace(/^.*?(?=test\/)/, '')
const secondsOf = ({ startTime, endTime }) => (endTime - startTime) / 1000

/** The files of all runs, each as its last run left it, and what its first run held against it. */
const paths = process.argv.slice(2)
const files = paths
  .filter(path => !AGAIN.test(path))
  .flatMap(path => {
    const again = paths.filter(other => AGAIN.test(other) && other.replace(AGAIN, '') === path).flatMap(filesOf)
    const last = new Map(again.map(file => [file.name, file]))
    return filesOf(path).map(file => (last.has(file.name) ? { ...last.get(file.name), before: file } : file))
  })

console.log(`\nThe longest of ${files.length} files, in seconds:`)
for (const file of files.toSorted((a, b) => secondsOf(b) - secondsOf(a)).slice(0, LONGEST)) {
  console.log(`${secondsOf(file).toFixed(1).padStart(7)}  ${nameOf(file)}`)
}

/** What was wrong before a file was right: errors of first tries are kept when the second one passes. */
const flaky = files
  .filter(({ status }) => status !== 'failed')
  .flatMap(file => {
    const { before } = file
    const tests = [...(before?.assertionResults ?? []), ...file.assertionResults]
    const found = tests
      .filter(({ failureMessages }) => failureMessages.length > 0)
      .map(({ fullName, failureMessages }) => ({ title: `${nameOf(file)}: ${fullName}`, said: failureMessages }))
    if (before && found.length === 0)
      found.push({ title: nameOf(file), said: [before.message || 'an error outside of tests'] })
    return found
  })
if (flaky.length > 0) {
  console.log(`\n!!! ${flaky.length} passed on their second try only. They are bugs, of tests or of the package:`)
  for (const { title, said } of flaky) {
    console.log(`!!! ${title}`)
    for (const line of said.join('\n').split('\n').slice(0, 6)) console.log(`!!!   ${line}`)
  }
}

const statuses = files.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status))
const count = wanted => statuses.filter(status => status === wanted).length
const [passed, failed] = [count('passed'), count('failed')]
// A file that cannot be loaded has no tests that could fail.
const broken = files.filter(({ status }) => status === 'failed').length
console.log(
  `\n${passed} passed, ${failed} failed, ${statuses.length - passed - failed} skipped, ${flaky.length} on the second try`,
)
process.exitCode = failed > 0 || broken > 0 || passed === 0 ? 1 : 0
