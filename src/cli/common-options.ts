import type { CommandOption } from './command.js'
import { parseDuration } from './units.js'

/** What every command knows. */
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

/** What commands know that remove or replace. */
export const DESTROYING_OPTIONS: readonly CommandOption[] = [DRY_RUN, { flags: '-y, --yes', summary: 'do not ask' }]

export const DEFAULT_TIMEOUT = 10_000
