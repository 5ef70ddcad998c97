import { describe, expect, it } from 'vitest'
import { type FailingCalls, failEach, failingCallsAvailable } from './support/failing-calls.js'

const FAULTS: readonly FailingCalls[] = [
  { kind: 'Cache', program: 'files', calls: 'create write close', path: 'cache.db-tmp', error: 'EIO' },
  { kind: 'FanoutCache', program: 'files', calls: 'open fstat read close', path: '.val', error: 'EIO' },
  { kind: 'Cache', program: 'files', calls: 'stat', path: '/', error: 'EIO' },
  { kind: 'Cache', program: 'streams', calls: 'open fstat read close', path: '.val', error: 'EIO' },
  { kind: 'FanoutCache', program: 'streams', calls: 'read', path: '.val', error: 'short' },
  { kind: 'Cache', program: 'entries', calls: 'open create', path: '/', error: 'EMFILE' },
  { kind: 'Cache', program: 'entries', calls: 'write', path: 'cache.db-wal', error: 'EIO' },
  { kind: 'Cache', program: 'answers', calls: 'create write', path: 'cache.db-tmp', error: 'EIO' },
  { kind: 'Cache', program: 'quarantine', calls: 'rename-folder', path: '/', error: 'EXDEV', persists: true },
  { kind: 'Cache', program: 'log', calls: 'stat', path: 'cache.db-wal', error: 'EIO', persists: true },
]

describe.skipIf(!failingCallsAvailable)('one failing system call after the other', () => {
  it.each(FAULTS)('does no lasting harm to a $kind: $program, $calls of $path', async fault => {
    const { failed, complaints } = await failEach(fault)
    expect(complaints).toEqual([])
    expect(failed).toBeGreaterThan(0)
  })
})
