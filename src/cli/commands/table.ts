import type { Command } from '../command.js'
import { stats } from './stats.js'

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly Command[] = [stats]
