// Opens a page in the browser of the system and prints what its script leaves in
// window.result. Arguments: the browser, the page.
import { chromium } from 'playwright-core'

const [executablePath, page] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run'] })
try {
	const tab = await browser.newPage()
	await tab.goto(page)
	await tab.waitForFunction(() => window.result !== undefined, null, { timeout: 30_000 })
	console.log(JSON.stringify(await tab.evaluate(() => window.result)))
} finally {
	await browser.close()
}
