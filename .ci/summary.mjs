// Closes a run: what took longest, what passed on its second try only, and the counts. Its arguments are the JSON
// reports of Vitest.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const LONGEST = 15

const reports = process.argv.slice(2).map(path => JSON.parse(readFileSync(path, 'utf8')))
const files = reports.flatMap(({ testResults }) => testResults)
const nameOf = ({ name }) => relative(process.cwd(), name).replace(/^.*?(?=test\/)/, '')
const secondsOf = ({ startTime, endTime }) => (endTime - startTime) / 1000

console.log(`\nThe longest of ${files.length} files, in seconds:`)
for (const file of files.toSorted((a, b) => secondsOf(b) - secondsOf(a)).slice(0, LONGEST)) {
  console.log(`${secondsOf(file).toFixed(1).padStart(7)}  ${nameOf(file)}`)
}

// The errors of a first try are kept when the second one passes.
const flaky = files.flatMap(file =>
  file.assertionResults
    .filter(({ status, failureMessages }) => status === 'passed' && failureMessages.length > 0)
    .map(test => ({ test, file })),
)
if (flaky.length > 0) {
  console.log(`\n!!! ${flaky.length} tests passed on their second try only. They are bugs, of tests or of the package:`)
  for (const { test, file } of flaky) {
    console.log(`!!! ${nameOf(file)}: ${test.fullName}`)
    for (const line of test.failureMessages.join('\n').split('\n').slice(0, 6)) console.log(`!!!   ${line}`)
  }
}

const sum = name => reports.reduce((total, report) => total + report[name], 0)
const [passed, failed] = [sum('numPassedTests'), sum('numFailedTests')]
// A file that cannot be loaded has no tests that could fail.
const broken = files.filter(({ status }) => status === 'failed').length
console.log(
  `\n${passed} passed, ${failed} failed, ${sum('numPendingTests') + sum('numTodoTests')} skipped, ${flaky.length} on the second try`,
)
process.exitCode = failed > 0 || broken > 0 || passed === 0 ? 1 : 0
