import type { Key } from '../options.js'

/**
 * What SQLite holds: bigint for INTEGER, number for REAL (always bound as REAL), string for TEXT, Buffer for BLOB,
 * null for NULL.
 */
export type SqlValue = string | bigint | number | Buffer | null

/**
 * A value ready to be stored. `data` goes into the value column as it is, or to a file when it is a string or Buffer at
 * or above the threshold (text through `encodeTextForFile`). It shares no memory with the caller's value.
 */
export interface EncodedValue {
  readonly mode: number
  readonly data: SqlValue
}

/** A key as its row holds it; two keys are one row exactly when SQLite finds both fields equal. */
export interface EncodedKey {
  readonly data: SqlValue
  readonly raw: boolean
}

/** Turns keys and values into what the database holds, and back. Pure: it sees neither files nor SQL. */
export interface Codec {
  /** `'structured'`, `'json'` or `'pickle'`. */
  readonly name: string
  /** @throws {TypeError} that names what cannot be stored, and where in the value it is */
  encodeValue(value: unknown): EncodedValue
  /**
   * @param mode the row's mode; it decides, whatever codec is configured
   * @param data the row's value, or the bytes of its file
   * @throws {DecodeError} when the bytes are not what the mode says
   */
  decodeValue(mode: number, data: SqlValue): unknown
  /** @throws {TypeError} that names what cannot be a key, and where in the key it is */
  encodeKey(key: unknown): EncodedKey
  /**
   * Never throws: a key that cannot be read comes back as an object that still finds its row. Composite keys come back
   * deep-frozen.
   *
   * @param protocol of the pickles in the directory, 5 unless Python was told otherwise, or was older than 3.8
   */
  decodeKey(data: SqlValue, raw: boolean, protocol?: number): Key
}
