/*
 * What the command line needs of the engine beyond its contract.
 */

export { type CareOptions, checkPlaces, examinePlaces, type VacuumReport, vacuumPlaces } from './care.js'
export type { StoredSettings } from './database/settings.js'
export type { DatabaseFacts, DatabaseTrouble, RowFacts } from './maintenance/examine.js'
export type { Pile, TreeFacts } from './maintenance/examine-tree.js'
export type { TaskProgress } from './maintenance/task-control.js'
export { absoluteDirectory, countShards, hasDatabase } from './shards/layout.js'
export { type CachePlace, findPlaces } from './shards/places.js'
