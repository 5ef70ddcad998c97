import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FixtureProcess } from '../../helpers/child-process.js'
import { peer } from '../../helpers/peers.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import type { Kind } from './caches.js'

const SOURCE = fileURLToPath(new URL('../fixtures/failing-calls.c', import.meta.url))
const SCRIPT = new URL('../fixtures/failing-calls.mjs', import.meta.url)
const PLAN_BYTES = 4096
/** As in the source. */
const SLOW = -2

/** Whether system calls can be made to fail here: it takes Linux and a compiler of C. */
export const failingCallsAvailable: boolean = peer('cc')

export interface FailingCalls {
  readonly kind: Kind
  /** What the process does, by the names in the script. */
  readonly program:
    | 'files'
    | 'streams'
    | 'entries'
    | 'reading'
    | 'computing'
    | 'answers'
    | 'quota'
    | 'quarantine'
    | 'log'
  /** The calls, with spaces between them. */
  readonly calls: string
  /** A part of the paths with which they fail, or their end and `$`. */
  readonly path: string
  readonly error: 'EIO' | 'EMFILE' | 'EDQUOT' | 'EXDEV' | 'short'
  /** Whether all later ones fail as well, until the program is over. */
  readonly persists?: boolean
}

/** Lets each of the calls fail once, or from there on. Answers how many have failed, and what was wrong afterwards. */
export async function failEach(calls: FailingCalls): Promise<{ failed: number; complaints: string[] }> {
  const directory = temporaryDirectory()
  const lines = await new FixtureProcess(SCRIPT, { directory, ...calls }, preload()).done()
  const complaints = lines.filter(line => line.startsWith('complaint'))
  return { failed: Number(lines.at(-1)?.slice('failed '.length)), complaints }
}

/** The environment of a process in which all of certain calls fail from its beginning, with EIO. */
export function failAll(calls: Pick<FailingCalls, 'calls' | 'path'>): NodeJS.ProcessEnv {
  return affectAll(calls, constants.errno.EIO)
}

/** The environment of a process in which each of certain calls takes 50 ms. */
export function slowDown(calls: Pick<FailingCalls, 'calls' | 'path'>): NodeJS.ProcessEnv {
  return affectAll(calls, SLOW)
}

function affectAll({ calls, path }: Pick<FailingCalls, 'calls' | 'path'>, error: number): NodeJS.ProcessEnv {
  const plan = Buffer.alloc(PLAN_BYTES)
  for (const [at, word] of [1, 1, 2 ** 30, error].entries()) plan.writeInt32LE(word, 4 * at)
  plan.write(calls, 24)
  plan.write(path, 128)
  return preload(plan)
}

function preload(plan: Buffer = Buffer.alloc(PLAN_BYTES)): NodeJS.ProcessEnv {
  const directory = temporaryDirectory()
  const library = join(directory, 'failing-calls.so')
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, SOURCE, '-ldl'])
  writeFileSync(join(directory, 'plan'), plan)
  return { LD_PRELOAD: library, FAILING_CALLS: join(directory, 'plan') }
}
