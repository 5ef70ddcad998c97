/**
 * The `mode` column: how the bytes of a value are read.
 *
 * Modes 1 to 4 are DiskCache's. The three after them are ours; Python's `Disk.fetch` does not know them and returns None.
 */

/** The column holds the value itself: INTEGER, REAL, TEXT or BLOB. */
export const MODE_RAW = 1
/** A file of bytes. */
export const MODE_BINARY = 2
/** A file of UTF-8 text, which Python reads with universal newlines. */
export const MODE_TEXT = 3
/** A pickle, in the column or in a file. */
export const MODE_PICKLE = 4
/** Plain data as JSON ('J'): TEXT in the column, UTF-8 in a file. */
export const MODE_JSON = 74
/** All other values that `structuredClone` supports ('V'): the bytes of `v8.serialize`. */
export const MODE_V8 = 86
/** A value of another mode, compressed ('Z'). */
export const MODE_COMPRESSED = 90
