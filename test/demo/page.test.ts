import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { launchChromium, type Watched, watchedPage } from '../helpers/chromium.js'
import { type Demo, startDemo } from '../helpers/demo.js'
import { peer } from '../helpers/peers.js'

const PHONE = { width: 390, height: 844 }
const LISBON = '/api/search?q=lisbonn'

describe.runIf(peer('chromium'))('the page of the demo, in Chromium', () => {
  let demo: Demo | undefined
  let browser: Browser | undefined
  /** One page for all that one does on it: loading it is most of the work. */
  let page: Page
  let troubles: string[] = []

  beforeEach(async () => {
    if (demo !== undefined) return
    demo = await startDemo()
    browser = await launchChromium()
    ;({ page, troubles } = await open('/'))
  })

  // What a test that failed has left is nothing for the next one, nor for its own second try.
  afterEach(async ({ task }) => {
    const found = troubles.splice(0)
    if (task.result?.state === 'fail' || found.length > 0) await close()
    expect(found).toEqual([])
  })

  afterAll(close)

  it('tells a miss from a hit, and takes the hit away when a tag is purged', async () => {
    await search(page, 'lisbonn')
    expect(await verdict(page)).toMatch(/^miss \d/)
    await expect.poll(() => page.locator('.cities').textContent()).toContain('Lisbon Portugal')
    // The answer is there before it is committed.
    await stored(LISBON)
    await page.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('.verdict.hit').waitFor()
    expect(await page.locator('.verdict').textContent()).toMatch(
      /times faster[\s\S]*Cache-Status: fanout-cache; hit; ttl=\d{3}\b/,
    )

    await page.getByRole('button', { name: 'Purge tag country:PT' }).first().click()
    await expect.poll(() => note(page)).toBe('Purged the tag country:PT: 1 entry removed.')
    await expect.poll(() => row(page, LISBON).count()).toBe(0)
    await page.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('.verdict.miss').waitFor()
    await row(page, LISBON).waitFor()
  })

  it('shows what was marked as stale, and then what was made anew', async () => {
    await stored(LISBON)
    await page.getByLabel('By address').fill(LISBON)
    await page
      .locator('form', { has: page.getByLabel('By address') })
      .getByRole('button', { name: 'Mark as stale' })
      .click()
    await expect.poll(() => note(page)).toMatch(/^Marked \/api\/search\?q=lisbonn as stale: 1 answer\./)
    await search(page, 'lisbonn')
    await page.locator('.verdict.stale').waitFor()
    await expect.poll(() => statusOf(LISBON)).toMatch(/hit; ttl=\d{3}$/)
    await page.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('.verdict.hit').waitFor()
  })

  it('lists by itself what others put into the cache', async () => {
    const known = await row(page, 'media:ocean.mp4').count()
    const { status, headers } = await fetch(addressOf('/media/ocean.mp4'))
    expect([known, status, headers.get('cache-status')]).toEqual([0, 200, expect.stringContaining('fwd=uri-miss')])
    await row(page, 'media:ocean.mp4').waitFor()
    expect(await row(page, 'media:ocean.mp4').textContent()).toMatch(/KiB|MiB/)
    await page.getByRole('button', { name: 'Delete media:ocean.mp4' }).click()
    await expect.poll(() => note(page)).toBe('Deleted media:ocean.mp4: 1 entry removed.')
    await expect.poll(() => row(page, 'media:ocean.mp4').count()).toBe(0)
  })

  it('plays the film out of its value file, and fetches a range of it', async () => {
    const seen = await page.locator('video').evaluate(async (video: Film) => {
      await video.play()
      const sought = new Promise(resolve => video.addEventListener('seeked', resolve, { once: true }))
      video.currentTime = 0.8 * video.duration
      await sought
      return { at: video.currentTime, isThere: video.readyState >= 2 }
    })
    expect(seen).toEqual({ at: expect.toSatisfy((seconds: number) => seconds > 5), isThere: true })
    await stored('/media/ocean.mp4')
    await page.getByRole('button', { name: 'Fetch 1,000 bytes of its middle' }).click()
    const said = page.locator('#range:not(:empty)')
    await said.waitFor()
    expect(await said.textContent()).toMatch(/^206 1000 bytes[\s\S]*bytes 500000-500999\/\d+[\s\S]*fanout-cache; hit/)
    const flag = page.getByRole('img', { name: 'br' })
    await flag.scrollIntoViewIfNeeded()
    await expect.poll(() => flag.evaluate((image: { naturalWidth: number }) => image.naturalWidth)).toBeGreaterThan(0)
  })

  it('shows why a button did nothing', async () => {
    await page.getByLabel('By address').fill('nonsense')
    await page
      .locator('form', { has: page.getByLabel('By address') })
      .getByRole('button', { name: 'Purge' })
      .click()
    await expect.poll(() => note(page)).toMatch(/^This did not work: .*url must be an absolute .*nonsense/)
    const others = troubles.splice(0).filter(trouble => !trouble.includes('400'))
    expect(others).toEqual([])
  })

  it('fits a phone, in the dark too', async () => {
    const phone = await open('/?q=lisbonn', { viewport: PHONE, colorScheme: 'dark' })
    await phone.page.locator('summary').click()
    expect(await phone.page.locator('html').evaluate((root: { scrollWidth: number }) => root.scrollWidth)).toBe(
      PHONE.width,
    )
    expect(phone.troubles).toEqual([])
    await phone.page.close()
  })

  it('works without its script', async () => {
    await stored(LISBON)
    const plain = await open('/?q=lisbonn', { javaScriptEnabled: false })
    expect(await verdict(plain.page)).toMatch(/^hit \d/)
    await plain.page.getByRole('button', { name: 'Purge /api/search?q=lisbonn' }).click()
    await expect.poll(() => note(plain.page)).toBe('Purged: 1 entry removed.')
    expect(await verdict(plain.page)).toMatch(/^miss \d/)
    expect(plain.troubles).toEqual([])
    await plain.page.close()
  })

  async function open(path: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Watched> {
    const watched = await watchedPage(browser as Browser, options)
    // The script of the page is at work by then; films may still be on their way.
    await watched.page.goto(addressOf(path), { waitUntil: 'domcontentloaded' })
    return watched
  }

  async function close(): Promise<void> {
    const [lastBrowser, lastDemo] = [browser, demo]
    browser = demo = undefined
    await lastBrowser?.close()
    await lastDemo?.stop()
  }

  const addressOf = (path: string): string => `${demo?.url}${path}`

  async function statusOf(path: string): Promise<string | null> {
    const response = await fetch(addressOf(path))
    await response.text()
    return response.headers.get('cache-status')
  }

  /** Sees to it that an answer is in the cache, whatever was done before. */
  async function stored(path: string): Promise<void> {
    await expect.poll(() => statusOf(path)).toContain('; hit;')
  }
})

/** As far as it is used here: the tests of a server know no DOM. */
interface Film {
  currentTime: number
  readonly duration: number
  readonly readyState: number
  play(): Promise<void>
  addEventListener(type: string, listener: (event: unknown) => void, options: { readonly once: true }): void
}

async function search(page: Page, query: string): Promise<void> {
  await page.getByLabel('Find a place').fill(query)
  await page.getByRole('button', { name: 'Search', exact: true }).click()
  await page.getByRole('heading', { name: `“${query}”` }).waitFor()
}

/** Such as `hit 2.1 ms`. */
async function verdict(page: Page): Promise<string> {
  return `${await page.locator('.badge').textContent()} ${await page.locator('.time').textContent()}`
}

/** What the button that was pressed last has done. */
async function note(page: Page): Promise<string | null> {
  return page.locator('#note').textContent()
}

function row(page: Page, key: string): ReturnType<Page['locator']> {
  return page.locator('.list tr', { has: page.getByText(key, { exact: true }) })
}
