import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium, type Watched, watchedPage } from '../helpers/chromium.js'
import { type Demo, startDemo } from '../helpers/demo.js'
import { peer } from '../helpers/peers.js'

/** Computing an answer takes half a second, and longer on a busy machine. */
const PATIENCE = { timeout: 15_000 }
const PHONE = { width: 390, height: 844 }

describe.runIf(peer('chromium'))('the page of the demo, in Chromium', { timeout: 60_000 }, () => {
  let demo: Demo
  let browser: Browser
  /** One page for all that one does on it: loading it is most of the work. */
  let page: Page
  let troubles: string[]

  beforeAll(async () => {
    demo = await startDemo()
    browser = await launchChromium()
    ;({ page, troubles } = await open('/'))
  }, 60_000)

  afterEach(() => {
    expect(troubles.splice(0)).toEqual([])
  })

  afterAll(async () => {
    await browser?.close()
    await demo?.stop()
  })

  it('tells a miss from a hit, and takes the hit away when a tag is purged', async () => {
    await search(page, 'lisbonn')
    expect(await verdict(page)).toMatch(/^miss \d/)
    await expect.poll(() => page.locator('.cities').textContent(), PATIENCE).toContain('Lisbon Portugal')
    await page.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('.verdict.hit').waitFor()
    expect(await page.locator('.verdict').textContent()).toMatch(
      /times faster[\s\S]*Cache-Status: fanout-cache; hit; ttl=5\d\d/,
    )

    await page.getByRole('button', { name: 'Purge tag country:PT' }).first().click()
    await expect.poll(() => note(page), PATIENCE).toBe('Purged the tag country:PT: 1 entry removed.')
    await expect.poll(() => row(page, '/api/search?q=lisbonn').count(), PATIENCE).toBe(0)
    await page.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('.verdict.miss').waitFor()
    await row(page, '/api/search?q=lisbonn').waitFor()
  })

  it('shows what was marked as stale, and then what was made anew', async () => {
    await page.getByLabel('By address').fill('/api/search?q=lisbonn')
    await page
      .locator('form', { has: page.getByLabel('By address') })
      .getByRole('button', { name: 'Mark as stale' })
      .click()
    await expect.poll(() => note(page), PATIENCE).toMatch(/^Marked \/api\/search\?q=lisbonn as stale: 1 answer\./)
    await search(page, 'lisbonn')
    await page.locator('.verdict.stale').waitFor()
    await expect
      .poll(async () => (await fetch(`${demo.url}/api/search?q=lisbonn`)).headers.get('cache-status'), PATIENCE)
      .toMatch(/hit; ttl=5/)
    await page.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('.verdict.hit').waitFor()
  })

  it('lists by itself what others put into the cache', async () => {
    const known = await row(page, 'media:ocean.mp4').count()
    const { status, headers } = await fetch(`${demo.url}/media/ocean.mp4`)
    expect([known, status, headers.get('cache-status')]).toEqual([0, 200, expect.stringContaining('fwd=uri-miss')])
    await row(page, 'media:ocean.mp4').waitFor()
    expect(await row(page, 'media:ocean.mp4').textContent()).toMatch(/KiB|MiB/)
    await page.getByRole('button', { name: 'Delete media:ocean.mp4' }).click()
    await expect.poll(() => note(page), PATIENCE).toBe('Deleted media:ocean.mp4: 1 entry removed.')
    await expect.poll(() => row(page, 'media:ocean.mp4').count(), PATIENCE).toBe(0)
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
    await page.getByRole('button', { name: 'Fetch 1,000 bytes of its middle' }).click()
    const said = page.locator('#range:not(:empty)')
    await said.waitFor()
    expect(await said.textContent()).toMatch(/^206 1000 bytes[\s\S]*bytes 500000-500999\/\d+[\s\S]*fanout-cache; hit/)
    const flag = page.getByRole('img', { name: 'br' })
    await flag.scrollIntoViewIfNeeded()
    await expect
      .poll(() => flag.evaluate((image: { naturalWidth: number }) => image.naturalWidth), PATIENCE)
      .toBeGreaterThan(0)
  })

  it('shows why a button did nothing', async () => {
    await page.getByLabel('By address').fill('nonsense')
    await page
      .locator('form', { has: page.getByLabel('By address') })
      .getByRole('button', { name: 'Purge' })
      .click()
    await expect.poll(() => note(page), PATIENCE).toMatch(/^This did not work: .*url must be an absolute .*nonsense/)
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
    const plain = await open('/?q=lisbonn', { javaScriptEnabled: false })
    expect(await verdict(plain.page)).toMatch(/^hit \d/)
    await plain.page.getByRole('button', { name: 'Purge /api/search?q=lisbonn' }).click()
    await expect.poll(() => note(plain.page), PATIENCE).toBe('Purged: 1 entry removed.')
    expect(await verdict(plain.page)).toMatch(/^miss \d/)
    expect(plain.troubles).toEqual([])
    await plain.page.close()
  })

  async function open(path: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Watched> {
    const watched = await watchedPage(browser, options)
    // The script of the page is at work by then; films may still be on their way.
    await watched.page.goto(demo.url + path, { waitUntil: 'domcontentloaded' })
    return watched
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
