import { parseArgs } from 'node:util'

export const USAGE = `usage: npm run bench -- [options]
  --only <name,…>   these measurements alone
  --rounds <n>      interleaved rounds (7)
  --quick           a tenth of the data and operations, 3 rounds: whether it runs, not how fast
  --json <file>     the figures of every round
  --directory <d>   where the temporary directories go (the system's)
  --strict          exit code 1 when a target is missed or a measurement fails
  --list            the measurements
peers (lmdb, @keyv/sqlite, cacache, redis): npm ci --prefix test/bench`

/** The command line; throws with a sentence on what is not understood. */
export function readArguments(argv, names) {
  const { values } = parseArgs({
    args: argv,
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      directory: { type: 'string' },
      strict: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const only = values.only?.split(',') ?? names
  const unknown = only.find(name => !names.includes(name))
  if (unknown !== undefined) throw new RangeError(`there is no measurement "${unknown}": ${names.join(', ')}`)
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 7))
  if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError('--rounds must be a whole number above 0')
  return { ...values, only, rounds }
}
