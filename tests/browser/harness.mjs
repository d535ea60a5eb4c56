// Opens the page in headless Chromium and watches what it does. The server is PAGE_URL, else the mock.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { createMock, serve } from './mock.mjs';

const SHOTS = fileURLToPath(new URL('../../target/screenshots/', import.meta.url));
export const SIZES = { wide: { width: 1440, height: 1100 }, phone: { width: 390, height: 844 } };
const ARGUMENTS = ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** @type {import('playwright-core').Browser} */
let browser;
let served = null;

export async function start() {
  await mkdir(SHOTS, { recursive: true });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
  served = process.env.PAGE_URL ? { url: process.env.PAGE_URL.replace(/\/?$/, '/'), stop() {} } : await serve(createMock());
}
export async function stop() {
  await browser?.close();
  served?.stop();
}
/** Hosts of the server, in their order. @returns {Promise<{name: string, address: string}[]>} */
export const hosts = async () => (await fetch(`${served.url}api/hosts`)).json();

/**
 * @param {(page: import('playwright-core').Page, tools: any) => Promise<void>} use
 * @param {{hash?: string, size?: keyof typeof SIZES, scheme?: 'light' | 'dark', mock?: ReturnType<typeof createMock>, faults?: RegExp}} [options]
 *   mock: answers come from it whatever the server is; faults: console errors that belong to the case
 */
export async function visit(use, options = {}) {
  const context = await browser.newContext({ viewport: SIZES[options.size ?? 'wide'], colorScheme: options.scheme ?? 'light', timezoneId: 'Europe/Berlin', locale: 'en-GB', acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  const faults = [];
  const requests = [];
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') faults.push(m.text()); });
  page.on('pageerror', (e) => faults.push(String(e.stack)));
  page.on('request', (r) => requests.push(r.url()));
  const { mock } = options;
  if (mock) {
    await page.route('**/api/**', (route) => {
      if (mock.scenario === 'lost') return route.abort();
      const url = new URL(route.request().url());
      const { status, body } = mock.answer(url.pathname.slice(url.pathname.indexOf('api/')), url.searchParams);
      return route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(body) });
    });
  }
  try {
    await page.goto(served.url + (options.hash ?? ''));
    await page.waitForSelector('h1:not(.unseen)');
    await use(page, { requests, shot: (name) => page.screenshot({ path: `${SHOTS}${name}.png` }), axe: () => clean(page) });
    assert.deepEqual(faults.filter((f) => !options.faults?.test(f)), [], 'console');
    const home = new URL(served.url).origin;
    assert.deepEqual(requests.filter((url) => !url.startsWith(home) && !url.startsWith('blob:')), [], 'requests to another host');
  } catch (error) {
    await page.screenshot({ path: `${SHOTS}failed.png` });
    throw error;
  } finally {
    await context.close();
  }
}

/** axe finds nothing. Its script goes in by the debugger's door, so the page's own rules stay as strict. */
async function clean(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`), []);
}

/** Saved text of what a click downloads. */
export async function download(page, name) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name, exact: true }).click()]);
  const chunks = [];
  for await (const chunk of await file.createReadStream()) chunks.push(chunk);
  return { name: file.suggestedFilename(), bytes: Buffer.concat(chunks) };
}
