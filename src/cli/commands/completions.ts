import type { Command } from '../command.js'
import { bashCompletions } from '../completions/bash.js'
import { zshCompletions } from '../completions/zsh.js'
import type { Context } from '../context.js'
import { UsageError } from '../exit-codes.js'

const SHELLS: Readonly<Record<string, (commands: readonly Command[]) => string>> = {
  bash: bashCompletions,
  zsh: zshCompletions,
}

/** @param commands the whole table, from which the scripts are made */
export function completionsOf(commands: () => readonly Command[]): Command {
  return {
    name: 'completions',
    summary: 'print what makes a shell complete commands, options and directories',
    group: 'Shell:',
    place: null,
    operands: '<shell>',
    completes: Object.keys(SHELLS),
    options: [],
    examples: [
      ['completions bash > ~/.local/share/bash-completion/completions/fanout-cache', 'for bash'],
      [`completions zsh > "\${fpath[1]}/_fanout-cache"`, 'for zsh'],
    ],
    run: (context: Context) => {
      const [shell = ''] = context.operands
      const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined
      if (!script) throw new UsageError(`the shell must be ${Object.keys(SHELLS).join(' or ')}, got '${shell}'`)
      return context.out.write(script(commands()))
    },
  }
}
