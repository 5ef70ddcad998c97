import type { Command } from '../command.js'
import { type OptionWords, optionWords, type Place, placesOf } from './words.js'

/** A script for bash 3.2 and later. */
export function bashCompletions(commands: readonly Command[]): string {
  return `# Completions of fanout-cache for bash. Made by: fanout-cache completions bash
_fanout_cache() {
  local current=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} place=0 at word options valued
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    _fanout_cache_words ${words([...commands.map(({ name }) => name), 'help', '--help', '--version'])}
    return
  fi
  case $command in
${commands.map(optionCase).join('\n')}
    help) _fanout_cache_words ${words(commands.map(({ name }) => name))}; return ;;
    *) return ;;
  esac
  for ((at = 2; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    case $word in
      -*) case " $valued " in *" $word "*) at=$((at + 1)) ;; esac ;;
      *) place=$((place + 1)) ;;
    esac
  done
  if [ "$at" -gt "$COMP_CWORD" ]; then
    case "$command \${COMP_WORDS[COMP_CWORD - 1]}" in
${commands.flatMap(argumentCases).join('\n')}
    esac
    return
  fi
  case $current in -*) _fanout_cache_words "$options"; return ;; esac
  case "$command $place" in
${commands.flatMap(placeCases).join('\n')}
  esac
}

_fanout_cache_words() {
  COMPREPLY=($(compgen -W "$1" -- "$current"))
}

_fanout_cache_paths() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$1" -- "$current"))
}

complete -o filenames -F _fanout_cache fanout-cache
`
}

function optionCase(command: Command): string {
  const all = optionWords(command)
  const valued = all.filter(({ argument }) => argument !== undefined)
  return `    ${command.name}) options=${words(namesOf(all))} valued=${words(namesOf(valued))} ;;`
}

function argumentCases(command: Command): string[] {
  return optionWords(command).flatMap(({ names, argument, option }) => {
    const line = argument === undefined ? undefined : action(option.choices ?? option.completes)
    if (line === undefined) return []
    return [`      ${names.map(name => `'${command.name} ${name}'`).join(' | ')}) ${line} ;;`]
  })
}

function placeCases(command: Command): string[] {
  return placesOf(command).flatMap((place, at) => {
    const line = action(place)
    return line === undefined ? [] : [`    '${command.name} ${at}') ${line} ;;`]
  })
}

function action(place: Place): string | undefined {
  if (place === undefined) return undefined
  if (place === 'directory') return '_fanout_cache_paths -d'
  return place === 'file' ? '_fanout_cache_paths -f' : `_fanout_cache_words ${words(place)}`
}

function namesOf(options: readonly OptionWords[]): string[] {
  return options.flatMap(({ names }) => names)
}

function words(all: readonly string[]): string {
  return `'${all.join(' ')}'`
}
