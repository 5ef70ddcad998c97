// A reporter for Vitest: writes the files that did not pass to the path in FAILED_FILES, one a line. Nothing is written
// about errors outside of tests whose file is not known.
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'

export default class FailedFiles {
  onTestRunEnd(modules, errors) {
    const failed = modules.filter(module => !['passed', 'skipped'].includes(module.state()))
    const paths = [...failed.map(module => module.moduleId), ...errors.map(error => error.VITEST_TEST_PATH)]
    const known = new Set(paths.filter(path => path !== undefined).map(path => relative(process.cwd(), path)))
    writeFileSync(process.env.FAILED_FILES, [...known].map(path => `${path}\n`).join(''))
  }
}
