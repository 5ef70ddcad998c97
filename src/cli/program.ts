import { Command as Commander, CommanderError, InvalidArgumentError, Option } from 'commander'
import { nearest } from '../engine/for-cli.js'
import type { Command, CommandOption } from './command.js'
import { COMMON_OPTIONS, DESTROYING_OPTIONS } from './common-options.js'
import { UsageError } from './exit-codes.js'

/** The parsed command line. */
export interface Parsed {
  readonly command: Command
  readonly operands: readonly string[]
  readonly values: Readonly<Record<string, unknown>>
}

export interface ProgramOptions {
  readonly commands: readonly Command[]
  readonly version: string
  readonly print: (text: string) => void
  /** Width of the terminal in columns. */
  readonly width: number
}

const NAME = 'fanout-cache'
/** Limit of an example in a column. A longer one would shift the explanations of all others. */
const LONGEST_EXAMPLE = 40
/** Replaces a parsed `null`, which commander treats as no value. */
const NULL = Symbol('null')
const ABOUT =
  'Looks after cache directories, of this package and of Python’s DiskCache, beside the services that use them.'

/**
 * Parses the arguments. `undefined`: help or the version was requested and printed.
 *
 * @throws UsageError with one sentence, which names the nearest known word
 */
export function parseArguments(argv: readonly string[], options: ProgramOptions): Parsed | undefined {
  let parsed: Parsed | undefined
  const program = newProgram(options, result => {
    parsed = result
  })
  try {
    program.parse([...argv], { from: 'user' })
    return parsed
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return undefined
    throw new UsageError(sentence(error, argv, options.commands), { cause: error })
  }
}

/** All options of a command, the common ones last. */
export function optionsOf(command: Command): readonly CommandOption[] {
  return [...command.options, ...(command.destroys ? DESTROYING_OPTIONS : []), ...COMMON_OPTIONS]
}

/** The arguments of a command in its usage. */
export function argumentsOf(command: Command): string {
  const { place = '<directory>', operands } = command
  return [place, operands].filter(Boolean).join(' ')
}

function newProgram(options: ProgramOptions, found: (parsed: Parsed) => void): Commander {
  const program = new Commander(NAME)
  program.exitOverride()
  program.configureOutput({
    writeOut: options.print,
    writeErr: () => undefined,
    outputError: () => undefined,
    getOutHelpWidth: () => options.width,
  })
  program
    .usage('<command> <directory> [arguments] [options]')
    .description(ABOUT)
    .version(options.version, '-V, --version', 'the version')
    .helpOption('-h, --help', 'how to use it')
    .addHelpCommand(helpCommand())
    .configureHelp({
      subcommandTerm: command => `${command.name()} ${command.usage().replace('[options] ', '')}`.trim(),
    })
    .showSuggestionAfterError()
  for (const command of options.commands) addCommand(program, command, found)
  program.addHelpText('after', programExamples(options.commands))
  return program
}

function helpCommand(): Commander {
  return new Commander('help')
    .argument('[command]')
    .description('how to use a command')
    .helpGroup('Shell:')
    .helpOption(false)
}

function addCommand(program: Commander, command: Command, found: (parsed: Parsed) => void): void {
  const sub = program.command(command.name).description(command.summary).helpGroup(command.group)
  for (const operand of argumentsOf(command).split(' ').filter(Boolean)) sub.argument(operand)
  for (const option of optionsOf(command)) sub.addOption(commanderOption(option))
  sub.addHelpText('after', helpOf(command))
  sub.action(() => {
    const operands = sub.processedArgs.flat().filter((operand): operand is string => typeof operand === 'string')
    const values = Object.entries(sub.opts()).map(([name, value]) => [name, value === NULL ? null : value])
    found({ command, operands, values: Object.fromEntries(values) })
  })
}

function commanderOption({ flags, summary, parse, choices, repeats }: CommandOption): Option {
  const option = new Option(flags, summary)
  if (choices) option.choices(choices)
  const read = parse && ((text: string) => parsedBy(parse, text))
  if (repeats) option.argParser((text, before: unknown) => [...((before as unknown[]) ?? []), read ? read(text) : text])
  else if (read) option.argParser(read)
  return option
}

function parsedBy(parse: (text: string) => unknown, text: string): unknown {
  try {
    const value = parse(text)
    return value === null ? NULL : value
  } catch (error) {
    throw error instanceof UsageError ? new InvalidArgumentError(error.message) : error
  }
}

function helpOf({ details, examples }: Command): string {
  const lines = examples.map(([line, what]) => `  ${NAME} ${line}\n      ${what}`)
  return [details && `\n${details}`, `\nExamples:\n${lines.join('\n')}`].filter(Boolean).join('\n')
}

function programExamples(commands: readonly Command[]): string {
  const firsts = commands
    .flatMap(({ examples }) => examples.slice(0, 1))
    .filter(([line]) => line.length <= LONGEST_EXAMPLE)
  const width = Math.max(0, ...firsts.map(([line]) => line.length))
  const lines = firsts.map(([line, what]) => `  ${NAME} ${line.padEnd(width)}  ${what}`)
  return `\nExamples:\n${lines.join('\n')}\n\nHelp of one command, with more examples: ${NAME} help <command>`
}

/** The message for an unknown command, with a suggestion of our own: that of commander for `del` is `help`. */
function unknownCommand(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return `unknown command '${name}'; ${near === undefined ? `${NAME} --help lists them` : `did you mean ${near}?`}`
}

/** The message for an unknown option that resembles no known one. */
function unknownOption([first = '']: readonly string[], commands: readonly Command[]): string {
  if (!commands.some(({ name }) => name === first)) return `the command comes first, options behind it`
  return `${NAME} help ${first} lists them; what begins with - and is none goes behind --`
}

/** Converts an error of commander to one sentence. */
function sentence(error: CommanderError, argv: readonly string[], commands: readonly Command[]): string {
  const [first = '', second = ''] = argv
  const known = commands.map(({ name }) => name)
  if (error.code === 'commander.unknownCommand') {
    return known.includes(second) ? `the command comes first: ${NAME} ${second} ${first}` : unknownCommand(first, known)
  }
  if (error.code === 'commander.help') {
    if (first === 'help' && second !== '') return unknownCommand(second, known)
    return `say what to do: ${NAME} <command> <directory>; ${NAME} --help lists the commands`
  }
  const [message = '', hint = ''] = error.message.replace(/^error: /, '').split('\n')
  const meant = /^\(Did you mean (.*)\?\)$/.exec(hint)?.[1]
  if (meant !== undefined) return `${message}; did you mean ${meant}?`
  if (error.code === 'commander.unknownOption') return `${message}; ${unknownOption(argv, commands)}`
  return message
}
