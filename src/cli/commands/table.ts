import type { Command } from '../command.js'
import { check } from './check.js'
import { doctor } from './doctor.js'
import { stats } from './stats.js'
import { vacuum } from './vacuum.js'

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly Command[] = [stats, check, vacuum, doctor]
