import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.js'

describe('the exit code of an error of the file system', () => {
  it.each([
    ['EACCES', EXIT.storage],
    ['ENOSPC', EXIT.storage],
    // Node has no name for a quota that is met.
    [`Unknown system error -${constants.errno.EDQUOT}`, EXIT.storage],
    ['ENOENT', EXIT.usage],
    ['EISDIR', EXIT.usage],
  ])('%s is %d', (code, exitCode) => {
    expect(exitCodeOf(Object.assign(new Error(code), { code, syscall: 'write' }))).toBe(exitCode)
  })
})
