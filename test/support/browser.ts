import { chromium, type BrowserContextOptions, type Page } from 'playwright-core'
import { findBrowser } from './needs.ts'

/** What is used of a tap test here. */
interface Test {
  teardown(work: () => unknown): void
}

/** A page of a browser of its own, which is closed when the test ends. */
export async function openPage(t: Test, options: BrowserContextOptions = {}): Promise<Page> {
  const executablePath = findBrowser()
  if (executablePath === null) throw new Error('there is no browser: the test says with needs() that it needs one')
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
  t.teardown(() => browser.close())
  const context = await browser.newContext(options)
  return context.newPage()
}
