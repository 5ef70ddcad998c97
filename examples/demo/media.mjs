import { createHash } from 'node:crypto'
import { createReadStream, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'

const TYPES = {
  '.jpg': 'image/jpeg',
  '.mp4': 'video/mp4',
  '.svg': 'image/svg+xml',
  '.webm': 'video/webm',
  '.woff2': 'font/woff2',
}

const require = createRequire(import.meta.url)
const footage = join(packageDirectory('vide'), 'examples/video')
const fonts = join(packageDirectory('@fontsource-variable/bricolage-grotesque'), 'files')
const flags = join(packageDirectory('circle-flags'), 'flags')

/** Files of npm packages by the name under which the demo serves them: what is not here is not served. */
export const catalogue = new Map([
  ['ocean.webm', join(footage, 'ocean.webm')],
  ['ocean.mp4', join(footage, 'ocean.mp4')],
  ['ocean.jpg', join(footage, 'ocean.jpg')],
  ['bricolage.woff2', join(fonts, 'bricolage-grotesque-latin-opsz-normal.woff2')],
  ...readdirSync(flags)
    .filter(name => /^[a-z]{2}\.svg$/.test(name))
    .map(name => [`flag-${name}`, join(flags, name)]),
])

export const mediaKey = name => `media:${name}`

/** Media files in the cache: each is stored when it is first asked for. */
export class Media {
  #cache
  #flights = new Map()

  /** @param {import('fanout-cache').FanoutCache} cache */
  constructor(cache) {
    this.#cache = cache
  }

  /**
   * The file of a name, open, and whether it was there; `file` is absent when the cache did not take it.
   *
   * @param {string} name one of the catalogue
   */
  async open(name) {
    const file = await this.#cache.read(mediaKey(name))
    if (file) return { hit: true, file, expiresAt: file.expiresAt }
    const flight = this.#flights.get(name)
    const filling = flight ?? this.#fill(name).finally(() => this.#flights.delete(name))
    this.#flights.set(name, filling)
    const stored = await filling
    return { hit: false, stored, collapsed: flight !== undefined, file: await this.#cache.read(mediaKey(name)) }
  }

  async #fill(name) {
    const path = catalogue.get(name)
    // Metadata is stored with the value and a stream is read once: so the hash takes a pass of its own.
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(path)) hash.update(chunk)
    const meta = { type: TYPES[extname(name)], etag: `"${hash.digest('base64url').slice(0, 22)}"` }
    return await this.#cache.set(mediaKey(name), createReadStream(path), { tag: 'media', meta })
  }
}

function packageDirectory(name) {
  return dirname(require.resolve(`${name}/package.json`))
}
