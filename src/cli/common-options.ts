import type { CommandOption } from './command.js'
import { parseDuration } from './units.js'

/** Options of every command. */
export const COMMON_OPTIONS: readonly CommandOption[] = [
  { flags: '--json', summary: 'print JSON: one document, or a line for each thing of a list' },
  {
    flags: '--timeout <duration>',
    summary: 'how long to wait for locks of others (default: 10s)',
    parse: text => parseDuration(text, '--timeout'),
  },
  {
    flags: '--codec <name>',
    summary:
      'how keys and values are stored (default: structured, which reads pickles too, or json, in a directory of Python’s JSONDisk)',
    choices: ['structured', 'json', 'pickle'],
  },
  { flags: '--no-color', summary: 'no colours' },
]

export const DRY_RUN: CommandOption = { flags: '-n, --dry-run', summary: 'change nothing, tell what would be' }

/** Options of commands that remove or replace data. */
export const DESTROYING_OPTIONS: readonly CommandOption[] = [DRY_RUN, { flags: '-y, --yes', summary: 'do not ask' }]

export const DEFAULT_TIMEOUT = 10_000
