import { createReadStream, readdirSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { sendFile } from 'fanout-cache/express'

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

/**
 * The media files: each is put into the cache when it is first asked for, and served from there.
 *
 * @param {import('fanout-cache').FanoutCache} cache
 */
export function mediaFiles(cache) {
  return sendFile(cache, {
    key: ({ params: { name } }) => (catalogue.has(name) ? mediaKey(name) : undefined),
    fill: async ({ params: { name } }) => {
      const path = catalogue.get(name)
      const { size, mtime } = await stat(path)
      const kind = name.startsWith('flag-') ? 'flags' : 'film-and-font'
      return { body: createReadStream(path), size, lastModified: mtime, tags: ['media', kind] }
    },
    ttl: '1d',
  })
}

function packageDirectory(name) {
  return dirname(require.resolve(`${name}/package.json`))
}
