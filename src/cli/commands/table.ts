import type { Command } from '../command.js'
import { check } from './check.js'
import { completionsOf } from './completions.js'
import { remove } from './delete.js'
import { doctor } from './doctor.js'
import { get } from './get.js'
import { incr } from './incr.js'
import { ls } from './ls.js'
import { clear, cull, evict, expire } from './removals.js'
import { set } from './set.js'
import { settings } from './settings.js'
import { stats } from './stats.js'
import { touch } from './touch.js'
import { vacuum } from './vacuum.js'

/** All commands, in the order in which help lists them. */
export const COMMANDS: readonly Command[] = [
  stats,
  ls,
  get,
  set,
  remove,
  touch,
  incr,
  expire,
  evict,
  cull,
  clear,
  settings,
  check,
  vacuum,
  doctor,
  completionsOf(() => COMMANDS),
]
