export { COMMANDS } from './table.js'
