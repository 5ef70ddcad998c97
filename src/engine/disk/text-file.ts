import { copyText } from './copy-buffers.js'
import { MODE_PICKLE, MODE_TEXT } from './modes.js'
import { writePickle } from './pickle/writer.js'

/**
 * Mode and bytes of a string in a file. It is stored as text unless it contains a carriage return: Python opens text
 * files with universal newlines and would read '\n' for '\r' and '\r\n'. Such a string becomes a pickled str, which
 * Python reads exactly.
 */
export function encodeTextForFile(text: string): { mode: number; bytes: Buffer } {
  if (text.includes('\r') || !text.isWellFormed()) return { mode: MODE_PICKLE, bytes: writePickle(text) }
  return { mode: MODE_TEXT, bytes: copyText(text) }
}
