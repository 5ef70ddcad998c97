import type { Key } from '../options.js'

/**
 * A value of SQLite: bigint for INTEGER, number for REAL (numbers are always bound as REAL), string for TEXT, Buffer
 * for BLOB, null for NULL.
 */
export type SqlValue = string | bigint | number | Buffer | null

/** A value ready to be stored. It shares no memory with the caller's value. */
export interface EncodedValue {
  /** The form of the value, for the column `mode`: 1 native, 2 a file of bytes, 3 one of text, 4 a pickle. */
  readonly mode: number
  /** The value for the column `value`, or for a file when it is a string or Buffer of at least `disk.minFileSize`. */
  readonly data: SqlValue
}

/** A key in the form of its row. Two keys are the same row exactly when SQLite finds both fields equal. */
export interface EncodedKey {
  /** The key for the column `key`. */
  readonly data: SqlValue
  /** Whether the column has the key itself, and not its encoded form. For the column `raw`. */
  readonly raw: boolean
}

/** Encodes keys and values for the database and decodes them. A codec is pure: it uses neither files nor SQL. */
export interface Codec {
  /** The name of the codec: `'structured'`, `'json'`, `'pickle'`, or that of a codec of your own. */
  readonly name: string
  /** The codec whose values this one only makes smaller. What is never stored, such as a copy, goes through it. */
  readonly inner?: Codec | undefined
  /** Encodes a value. @throws TypeError that names what cannot be stored and its place in the value */
  encodeValue(value: unknown): EncodedValue
  /**
   * Decodes a value.
   *
   * @param mode the mode of the row, which decides the form whatever codec is configured
   * @param data the value of the row, or the bytes of its file
   * @throws DecodeError when the bytes do not have the form of the mode
   */
  decodeValue(mode: number, data: SqlValue): unknown
  /** Encodes a key. @throws TypeError that names what cannot be part of a key and its place in the key */
  encodeKey(key: unknown): EncodedKey
  /**
   * Decodes a key. It never throws: a key that cannot be decoded becomes an object that still finds its row. Composite
   * keys are deep-frozen.
   *
   * @param protocol the pickle protocol of the directory: 5, unless Python was configured otherwise or older than 3.8
   */
  decodeKey(data: SqlValue, raw: boolean, protocol?: number): Key
}
