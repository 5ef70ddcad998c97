import type { Command } from '../command.js'
import { type OptionWords, optionWords, type Place, placesOf } from './words.js'

/** A script for the completion system of zsh, to be sourced or put into `fpath` as `_fanout-cache`. */
export function zshCompletions(commands: readonly Command[]): string {
  return `#compdef fanout-cache
# Completions of fanout-cache for zsh. Made by: fanout-cache completions zsh
_fanout_cache() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
    'help:how to use a command'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${commands.map(commandCase).join('\n')}
    help) _describe command commands ;;
  esac
}

if [[ $funcstack[1] == _fanout-cache ]]; then
  _fanout_cache "$@"
else
  compdef _fanout_cache fanout-cache
fi
`
}

function commandCase(command: Command): string {
  const specs = [...optionWords(command).flatMap(optionSpecs), ...placeSpecs(command)]
  return `    ${command.name})\n      _arguments \\\n        ${specs.join(' \\\n        ')}\n      ;;`
}

function optionSpecs({ names, argument, option }: OptionWords): string[] {
  const repeat = option.repeats ? '*' : ''
  const others = option.repeats || names.length === 1 ? '' : `(${names.join(' ')})`
  const value = argument === undefined ? '' : `:${argument}:${action(option.choices ?? option.completes)}`
  return names.map(name => quoted(`${others}${repeat}${name}[${escaped(option.summary)}]${value}`))
}

function placeSpecs(command: Command): string[] {
  const names = [command.place === null ? '' : 'directory', command.operands].join(' ').split(' ').filter(Boolean)
  return placesOf(command).map((place, at) => {
    const name = (names[at] ?? '').replace(/[<>[\].]/g, '')
    const number = names[at]?.includes('...') ? '*' : `${at + 1}`
    return quoted(`${number}:${name}:${action(place)}`)
  })
}

function action(place: Place): string {
  if (place === undefined) return ' '
  if (place === 'directory') return '_directories'
  return place === 'file' ? '_files' : `(${place.join(' ')})`
}

/** Escapes brackets and colons, which are special in a description. */
function escaped(summary: string): string {
  return summary.replace(/[[\]:\\]/g, '\\$&')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
