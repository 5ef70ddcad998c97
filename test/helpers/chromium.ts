import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from 'playwright-core'
import { PATIENCE_MILLISECONDS } from './patience.js'
import { chromium } from './peers.js'

export async function launchChromium(): Promise<Browser> {
  // Chromium does not start as root with its sandbox; containers have little shared memory.
  return driver.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

export interface Watched {
  readonly page: Page
  /** What the console complained of, errors of scripts, and requests that failed or were refused. */
  readonly troubles: string[]
}

/** A page of its own profile, and what goes wrong in it. */
export async function watchedPage(browser: Browser, options: BrowserContextOptions): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width: 1024, height: 768 }, ...options })
  page.setDefaultTimeout(PATIENCE_MILLISECONDS)
  const troubles: string[] = []
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) troubles.push(`console: ${message.text()}`)
  })
  page.on('pageerror', error => troubles.push(`script: ${error.message}`))
  page.on('response', response => {
    if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`)
  })
  page.on('requestfailed', request => {
    const why = request.failure()?.errorText
    // A player stops fetching what it does not need yet.
    if (request.resourceType() !== 'media' || why !== 'net::ERR_ABORTED') troubles.push(`${why}: ${request.url()}`)
  })
  return { page, troubles }
}
