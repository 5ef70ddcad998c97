import type { Command, CommandOption } from '../command.js'
import { SETTING_NAMES } from '../commands/settings.js'
import { argumentsOf, optionsOf } from '../program.js'

/** An option in the form that shells need. */
export interface OptionWords {
  /** `-p` and `--prefix`. */
  readonly names: readonly string[]
  /** The name of its argument. `undefined`: it has none. */
  readonly argument: string | undefined
  readonly option: CommandOption
}

const HELP: CommandOption = { flags: '-h, --help', summary: 'how to use it' }

export function optionWords(command: Command): readonly OptionWords[] {
  return [...optionsOf(command), HELP].map(option => ({
    names: option.flags.split(/[ ,]+/).filter(word => word.startsWith('-')),
    argument: /[<[](.+?)[>\]]/.exec(option.flags)?.[1],
    option,
  }))
}

/** What can be completed at a place of the command line: a kind of path, one of several words, or nothing. */
export type Place = 'directory' | 'file' | readonly string[] | undefined

/** The places of a command, one after the other. */
export function placesOf(command: Command): readonly Place[] {
  const names = argumentsOf(command).split(' ').filter(Boolean)
  return names.map((name, at) => {
    if (at === 0 && command.place === undefined) return 'directory'
    if (command.completes === 'settings') return at === 1 ? SETTING_NAMES : undefined
    if (command.completes === 'file') return 'file'
    return name.startsWith('<') || name.startsWith('[') ? command.completes : undefined
  })
}
