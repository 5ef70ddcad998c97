import { chmodSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeWholeFile } from '../../src/cli/whole-file.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const { signal } = new AbortController()

async function* content(...parts: readonly (string | Error)[]): AsyncGenerator<string> {
  for (const part of parts) {
    if (part instanceof Error) throw part
    yield part
  }
}

describe('a file that is written whole or not at all', () => {
  it('is as it was, or not there, where its content fails or a signal comes, and nothing is left beside it', async () => {
    const directory = temporaryDirectory()
    const [there, missing] = [join(directory, 'there'), join(directory, 'missing')]
    writeFileSync(there, 'old')
    const stopping = new AbortController()
    async function* stopped(): AsyncGenerator<string> {
      yield 'begun'
      stopping.abort(new Error('stopped'))
      yield 'more'
    }
    for (const path of [there, missing]) {
      await expect(writeWholeFile(path, content('begun', new Error('broken')), signal)).rejects.toThrow('broken')
      await expect(writeWholeFile(path, stopped(), stopping.signal)).rejects.toThrow('stopped')
    }
    expect(readdirSync(directory)).toEqual(['there'])
    expect(readFileSync(there, 'utf8')).toBe('old')
  })

  it.skipIf(process.platform === 'win32')('keeps its mode, and a link leads where it led', async () => {
    const directory = temporaryDirectory()
    const [path, link] = [join(directory, 'file'), join(directory, 'link')]
    writeFileSync(path, 'old')
    chmodSync(path, 0o666)
    symlinkSync(path, link)
    await writeWholeFile(path, content('new'), signal, 0o600)
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['new', 0o666])
    await writeWholeFile(link, content('newer'), signal)
    expect([readFileSync(path, 'utf8'), lstatSync(link).isSymbolicLink()]).toEqual(['newer', true])
    await writeWholeFile(join(directory, 'own'), content('mine'), signal, 0o600)
    expect(statSync(join(directory, 'own')).mode & 0o777).toBe(0o600)
  })
})
