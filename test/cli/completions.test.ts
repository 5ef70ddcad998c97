import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { peer } from '../helpers/peers.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cliHere } from './support/command-line.js'

let commands: readonly string[]

beforeAll(async () => {
  const { stdout } = await cliHere(['--help'])
  commands = [...stdout.matchAll(/^ {2}([a-z]+) .*[<[](?:directory|shell)[>\]]/gm)].map(match => match[1] ?? '')
})

/** A place with directories and files whose names need care. */
async function place(shell: string): Promise<string> {
  const directory = temporaryDirectory()
  for (const name of ['cache', 'caches of mine']) mkdirSync(join(directory, name))
  writeFileSync(join(directory, 'a file'), '')
  writeFileSync(join(directory, 'script'), (await cliHere(['completions', shell])).stdout)
  return directory
}

describe('completions for bash', () => {
  /** What bash offers for each of the lines, the last word of which is being typed. */
  function offered(directory: string, lines: readonly (readonly string[])[]): string[][] {
    const ask = lines.map(words => {
      const quoted = ['fanout-cache', ...words].map(word => `'${word}'`).join(' ')
      return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _fanout_cache; printf '%s\\n' "\${COMPREPLY[@]}" ---`
    })
    const script = ['set -u', 'source ./script', ...ask].join('\n')
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { cwd: directory, encoding: 'utf8' })
    expect(stderr).toBe('')
    return (
      stdout
        .split('---\n')
        .slice(0, -1)
        // Paths come in the order in which their directory has them.
        .map(part => part.split('\n').filter(Boolean).sort())
    )
  }

  it('offer commands, directories, options and what they take', async () => {
    const directory = await place('bash')
    const asked: readonly (readonly [words: readonly string[], offers: readonly string[]])[] = [
      [['st'], ['stats']],
      [['se'], ['set', 'settings']],
      [
        ['stats', 'ca'],
        ['cache', 'caches of mine'],
      ],
      [['stats', 'a'], []],
      [['ls', 'cache', '--pre'], ['--prefix']],
      [
        ['ls', '--limit', '5', 'ca'],
        ['cache', 'caches of mine'],
      ],
      [['ls', '--limit', ''], []],
      [['ls', 'cache', '--codec', 'j'], ['json']],
      [['set', 'cache', 'key', '--file', 'a'], ['a file']],
      [
        ['set', 'cache', 'key', '--kind', ''],
        ['Cache', 'FanoutCache'],
      ],
      [['settings', 'cache', 'sqlite.j'], ['sqlite.journalMode']],
      [['clear', 'cache', '--y'], ['--yes']],
      [['stats', 'cache', '--y'], []],
      [
        ['completions', ''],
        ['bash', 'zsh'],
      ],
      [['help', 'exp'], expect.arrayContaining(['expire']) as string[]],
      [['nonsense', ''], []],
    ]
    expect(
      offered(
        directory,
        asked.map(([words]) => words),
      ),
    ).toEqual(asked.map(([, offers]) => offers))
  })

  it('know every command that help lists', async () => {
    const directory = await place('bash')
    expect(commands.length).toBeGreaterThan(10)
    const [first, ...options] = offered(directory, [[''], ...commands.map(name => [name, 'x', '--js'])])
    expect(first).toEqual(expect.arrayContaining([...commands]))
    expect(options).toEqual(commands.map(() => ['--json']))
  })
})

describe('completions for zsh', () => {
  it('name every command and close what they open', async () => {
    const { stdout } = await cliHere(['completions', 'zsh'])
    for (const name of commands) expect(stdout).toMatch(new RegExp(`^    ${name}\\)\\n      _arguments`, 'm'))
    expect(stdout.match(/^ {2}case/gm)).toHaveLength(stdout.match(/^ {2}esac/gm)?.length ?? 0)
  })

  it.runIf(peer('zsh'))('complete what is typed', async () => {
    const directory = await place('zsh')
    const lines: readonly (readonly [typed: string, completed: string])[] = [
      ['fanout-cache stat', 'fanout-cache stats'],
      ['fanout-cache ls cache --pre', 'fanout-cache ls cache --prefix'],
      ['fanout-cache ls cache --codec j', 'fanout-cache ls cache --codec json'],
      ['fanout-cache settings cache size', 'fanout-cache settings cache sizeLimit'],
    ]
    // The widget prints the line that it has made, so that nothing is guessed from a screen.
    const script = [
      'zmodload zsh/zpty',
      'zpty z zsh -f -i',
      `zpty -w z 'PROMPT=; autoload -Uz compinit; compinit -u -D; source ./script; zle-shown() { print -r -- "[$BUFFER]"; BUFFER= }; zle -N zle-shown; bindkey "^I" complete-word "^X" zle-shown; print ready'`,
      'zpty -r z shown "*ready*" || exit 1',
      ...lines.flatMap(([typed]) => [
        `zpty -n -w z '${typed}'$'\\t\\x18'`,
        'zpty -r z shown "*]*"',
        'print -r -- $shown',
      ]),
    ].join('\n')
    const { stdout } = spawnSync('zsh', ['-f', '-c', script], { cwd: directory, encoding: 'utf8' })
    const made = [...stdout.matchAll(/\[(fanout-cache[^\]]*)\]/g)].map(match => match[1]?.trim())
    expect(made).toEqual(lines.map(([, completed]) => completed))
  })
})

describe('docs/command-line.md', () => {
  it('names every command, and its options', async () => {
    const page = readFileSync(new URL('../../docs/command-line.md', import.meta.url), 'utf8')
    expect(commands.filter(name => !page.includes(`\`${name}`))).toEqual([])
    expect(
      ['--json', '--timeout', '--codec', '--no-color', '--yes', '--dry-run'].filter(flag => !page.includes(flag)),
    ).toEqual([])
  })
})
