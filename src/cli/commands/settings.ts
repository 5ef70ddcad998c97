import { configureWithin, hintFor } from '../../engine/for-cli.js'
import type { Settings, SettingsChange } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { UsageError } from '../exit-codes.js'
import { pairs } from '../output.js'
import { bytesText, durationText, parseBytes, parseDuration } from '../units.js'

type Kind = 'flag' | 'bytes' | 'count' | 'duration' | 'text' | 'items' | 'pages'

/** The settings by their names in the API, with the kind of their values. */
const KINDS: Readonly<Record<string, Kind>> = {
  sizeLimit: 'bytes',
  maxItems: 'items',
  cullLimit: 'count',
  evictionPolicy: 'text',
  statistics: 'flag',
  tagIndex: 'flag',
  'disk.minFileSize': 'bytes',
  'disk.unlinkGrace': 'duration',
  'sqlite.cacheSize': 'pages',
  'sqlite.mmapSize': 'bytes',
  'sqlite.journalMode': 'text',
  'sqlite.synchronous': 'count',
  'sqlite.autoVacuum': 'count',
}

export const SETTING_NAMES: readonly string[] = Object.keys(KINDS)

export const settings: Command = {
  name: 'settings',
  summary: 'print the stored settings, or change one',
  group: 'Care:',
  operands: '[name] [value]',
  completes: 'settings',
  options: [],
  examples: [
    ['settings ./cache', 'all of them'],
    ['settings ./cache sizeLimit 10GiB', 'for all processes, within a second'],
    ['settings ./cache statistics on', 'count hits and misses'],
    ['settings ./cache maxItems none', 'no limit of entries'],
  ],
  details: `Settings lie in the directory and are in force for all its processes. Names: ${SETTING_NAMES.join(', ')}.`,
  run: settingsOf,
}

async function settingsOf(context: Context): Promise<void> {
  const [name, text] = context.operands
  const kind = name === undefined ? undefined : kindOf(name)
  if (name === undefined || kind === undefined) {
    const cache = await context.open('read')
    const stored = await context.answer(cache.settings())
    await context.out.show(stored, pairs(SETTING_NAMES.map(each => [each, valueText(each, settingOf(stored, each))])))
    return
  }
  const change = text === undefined ? undefined : changeOf(name, parseValue(name, kind, text))
  const cache = await context.open(change ? 'write' : 'read')
  const stored = await context.answer(change ? configureWithin(cache, change, context.patience) : cache.settings())
  await context.out.show(settingOf(stored, name), [valueText(name, settingOf(stored, name))])
}

function kindOf(name: string): Kind {
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
  if (kind) return kind
  throw new UsageError(`unknown setting '${name}'; ${hintFor(name, SETTING_NAMES)}`)
}

function parseValue(name: string, kind: Kind, text: string): unknown {
  switch (kind) {
    case 'flag':
      if (/^(true|on|yes|1)$/i.test(text)) return true
      if (/^(false|off|no|0)$/i.test(text)) return false
      throw new UsageError(`${name} must be on or off, got '${text}'`)
    case 'bytes':
      return parseBytes(text, name)
    case 'duration':
      return parseDuration(text, name)
    case 'text':
      return text
    default:
      if (kind === 'items' && /^(none|null)$/i.test(text)) return null
      // The engine checks the range.
      if (/^-?\d+$/.test(text)) return Number(text)
      throw new UsageError(`${name} must be a whole number${kind === 'items' ? ' or none' : ''}, got '${text}'`)
  }
}

function changeOf(name: string, value: unknown): SettingsChange {
  const [group = '', local] = name.split('.')
  return (local === undefined ? { [group]: value } : { [group]: { [local]: value } }) as SettingsChange
}

function settingOf(settings: Settings, name: string): unknown {
  const [group = '', local] = name.split('.')
  const value: unknown = settings[group as keyof Settings]
  return local === undefined ? value : (value as Readonly<Record<string, unknown>>)[local]
}

function valueText(name: string, value: unknown): string {
  const kind = KINDS[name]
  if (value === null) return 'none'
  if (kind === 'flag') return value === true ? 'on' : 'off'
  if (kind === 'bytes' && typeof value === 'number' && value >= 1024) return `${value} (${bytesText(value)})`
  if (kind === 'duration' && typeof value === 'number') return durationText(value)
  return String(value)
}
