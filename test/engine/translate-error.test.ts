import { expect, it } from 'vitest'
import { StorageError } from '../../src/engine/errors.js'
import { translateError } from '../../src/engine/translate-error.js'

it('says what to do where SQLite has no directory for temporary files', () => {
  const cause = Object.assign(new Error('disk I/O error'), { name: 'SqliteError', code: 'SQLITE_IOERR_GETTEMPPATH' })
  const error = translateError(cause, '/var/cache/app')
  expect(error).toBeInstanceOf(StorageError)
  expect(error).toMatchObject({
    message:
      'the cache in /var/cache/app failed: SQLite finds no directory for temporary files: set TMPDIR to one that can be written',
    cause,
  })
})
