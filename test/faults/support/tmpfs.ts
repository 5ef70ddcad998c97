import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { peer } from '../../helpers/peers.js'

/** Whether a small file system can be mounted here. Root alone does not do it: a container may forbid it. */
export const tmpfsAvailable: boolean = peer('tmpfs') && canMount()

/** A small file system of its own, taken away when the test has finished. */
export function mountTmpfs(options: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-disk-'))
  const { status, stderr } = mount(['-t', 'tmpfs', '-o', options, 'tmpfs', directory])
  if (status !== 0) throw new Error(`mount failed: ${stderr}`)
  onTestFinished(() => {
    // Lazily: a killed worker may still be on its way out.
    spawnSync('umount', ['-l', directory])
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

/** Makes a mounted file system read-only, or writable again. */
export function remount(directory: string, mode: 'ro' | 'rw'): void {
  const { status, stderr } = mount(['-o', `remount,${mode}`, directory])
  if (status !== 0) throw new Error(`remount failed: ${stderr}`)
}

/** More than any of them has. Bytes. */
const SMALL = 2 ** 30

/** Writes a foreign file until the file system has no byte left. Answers its path. */
export function fillUp(directory: string): string {
  const { blocks, bsize } = statfsSync(directory)
  // Of a test that was ended meanwhile: this is the disk of the machine.
  if (blocks * bsize > SMALL) throw new Error(`${directory} is not mounted any more`)
  const path = join(directory, 'filler.bin')
  const file = openSync(path, 'a')
  try {
    for (const size of [262_144, 4096, 1]) append(file, Buffer.alloc(size, 0xff))
  } finally {
    closeSync(file)
  }
  return path
}

function append(file: number, chunk: Buffer): void {
  try {
    for (;;) writeSync(file, chunk)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  }
}

function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-probe-'))
  const { status } = mount(['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory])
  if (status === 0) spawnSync('umount', [directory])
  rmSync(directory, { recursive: true, force: true })
  if (status === 0) return true
  if (process.env['REQUIRE_ALL'] === '1') throw new Error('REQUIRE_ALL=1 and no file system can be mounted here')
  console.log('skipped: tests on small file systems, which cannot be mounted here')
  return false
}

function mount(args: readonly string[]): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' })
  return { status, stderr }
}
