// @ts-check
import { fileURLToPath } from 'node:url'

const production = process.env.NODE_ENV === 'production'

export default {
  cacheMaxMemorySize: 0, // nothing in the memory of one process
  ...(production && {
    cacheHandler: pathOf('./cache-handler.mjs'),
    // Next.js 16 alone
    cacheHandlers: { default: pathOf('./use-cache-handler.mjs'), remote: pathOf('./use-cache-handler.mjs') },
    images: { customCacheHandler: true },
  }),
}

/** @param {string} file */
function pathOf(file) {
  return fileURLToPath(new URL(file, import.meta.url))
}
