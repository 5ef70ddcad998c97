import type { Command } from '../command.js'
import { exportCommand } from './export.js'
import { importCommand } from './import.js'
import { stats } from './stats.js'

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly Command[] = [stats, exportCommand, importCommand]
