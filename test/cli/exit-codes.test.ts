import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { EXIT, exitCodeOf, sentenceOf } from '../../src/cli/exit-codes.js'

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

describe('an error', () => {
  it('is told in one line', () => {
    expect(sentenceOf(Object.assign(new Error('a\n  b \n'), { code: 'EIO', syscall: 'read' }))).toBe('a b')
  })

  it('that is no fault of the command line is told as a defect', () => {
    expect(exitCodeOf(new Error('odd'))).toBe(EXIT.defect)
    expect(sentenceOf(new Error('odd'))).toMatch(
      /a defect of fanout-cache, please report it: odd .*FANOUT_CACHE_DEBUG=1/,
    )
  })
})
