// Opens the page of the real program in headless Chromium and watches what it does.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { clear, createProgram, network } from './program.mjs';

const SHOTS = fileURLToPath(new URL('../../target/screenshots/', import.meta.url));
const SIZES = { wide: { width: 1440, height: 1100 }, phone: { width: 390, height: 844 } };
/** With the environment variable LOOKS every picture is also taken in each of these, one after another.
 * @type {[string, Parameters<import('playwright-core').Page['emulateMedia']>[0], {width: number, height: number}][]} */
const LOOKS = [
  ['dark', { colorScheme: 'dark' }, SIZES.wide],
  ['forced', { forcedColors: 'active' }, SIZES.wide],
  ['print', { media: 'print' }, { width: 703, height: 1000 }],
  ['wide', {}, { width: 2560, height: 1300 }],
  ['phone', {}, SIZES.phone],
  ['phone-dark', { colorScheme: 'dark' }, SIZES.phone],
  ['320', {}, { width: 320, height: 700 }],
];
const ARGUMENTS = [
  '--no-sandbox',
  '--headless',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
// A day more than the longest period of the page: with a clock change in it, 90 times 24 hours can begin an hour after
// the first of 90 calendar days.
const DAYS = 91;

// A check of this host takes 0.1 s, so that a new result comes soon.
const QUICK = {
  name: 'Quick',
  address: '127.0.1.50',
  interval_seconds: 2,
  ping_count: 3,
  ping_spacing_ms: 50,
  timeout_seconds: 0.4,
};
const HOSTS = [
  { name: 'Local Gateway', address: '127.0.1.1', role: 'gateway' },
  { name: 'Provider', address: '127.0.1.2' },
  { name: 'Name server', address: '127.0.1.3', role: 'dns' },
  { name: 'Mail server', address: '127.0.1.4' },
  QUICK,
  // In this network nothing answers over IPv6, and there is no route to other machines.
  { ...QUICK, name: 'Office VPN', address: '::1', interval_seconds: 5 },
  { ...QUICK, name: 'Mirror, IPv6', address: '2001:db8::1', interval_seconds: 5 },
];
/** The configuration of host `i` of a generated history. @param {number} i */
export const recordedHost = (i) => ({ name: `Sensor ${i}`, address: `127.0.1.${i + 1}` });

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('./program.mjs').Program[]} */
const programs = [];

/** @param {Parameters<typeof createProgram>} wanted */
export async function program(...wanted) {
  const one = await createProgram(...wanted);
  programs.push(one);
  return one;
}

/** The program of most tests: a running monitor with 90 days of history. @type {import('./program.mjs').Program} */
export let home;
export const quick = QUICK;

export async function start() {
  assert.deepEqual(
    Object.keys(networkInterfaces()),
    ['lo'],
    'these tests need a network namespace: start them with tests/browser/run',
  );
  await mkdir(`${SHOTS}looks`, { recursive: true });
  await network(4, 'answers');
  await network(6, 'silent');
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
  home = await program(HOSTS, { recorded: [4, DAYS] });
  await home.start();
}

export async function stop() {
  await browser?.close();
  await clear(programs);
}

/**
 * @typedef {{requests: string[], shot: (name: string) => Promise<unknown>, axe: () => Promise<void>}} Tools
 *   requests: the URLs so far; shot: saves a screenshot; axe: checks accessibility
 * @typedef {{
 *   hash?: string, size?: keyof typeof SIZES, scheme?: 'light' | 'dark', of?: import('./program.mjs').Program,
 *   faults?: RegExp, unfollowed?: string, context?: import('playwright-core').BrowserContextOptions,
 * }} Options of: the program whose page it is; faults: expected console errors;
 *   unfollowed: where redirects lead that the page does not follow
 */

/** Opens a page, and afterwards checks its width, its console and its requests.
 * @param {(page: import('playwright-core').Page, tools: Tools) => Promise<void>} use @param {Options} [options] */
export async function visit(use, options = {}) {
  const { url } = options.of ?? home;
  const context = await browser.newContext({
    viewport: SIZES[options.size ?? 'wide'],
    colorScheme: options.scheme ?? 'light',
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    acceptDownloads: true,
    ...options.context,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  const faults = [];
  const requests = [];
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') faults.push(m.text());
  });
  page.on('pageerror', (e) => faults.push(String(e.stack)));
  page.on('request', (r) => requests.push(r.url()));
  try {
    await page.goto(url + (options.hash ?? ''));
    await page.waitForSelector('h1:not(.unseen)');
    await use(page, {
      requests,
      shot: async (name) => {
        await page.screenshot({ path: `${SHOTS}${name}.png` });
        if (process.env.LOOKS) await inAllLooks(page, name, options);
      },
      axe: () => clean(page),
    });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
    assert.deepEqual(
      faults.filter((f) => !options.faults?.test(f)),
      [],
      'console',
    );
    assert.deepEqual(
      requests.filter((r) => !r.startsWith(url) && !r.startsWith(`blob:${url}`) && r !== options.unfollowed),
      [],
      'requests to another host',
    );
  } catch (error) {
    await page.screenshot({ path: `${SHOTS}failed.png` });
    throw error;
  } finally {
    await context.close();
  }
}

/** Takes a picture in every look, and shows the page as before. A look may be no wider than its window.
 * @param {import('playwright-core').Page} page @param {string} name @param {Options} options */
async function inAllLooks(page, name, options) {
  const before = page.viewportSize();
  const plain = /** @type {const} */ ({ colorScheme: options.scheme ?? 'light', media: 'screen', forcedColors: 'none' });
  for (const [look, media, size] of LOOKS) {
    await page.emulateMedia({ ...plain, ...media });
    await page.setViewportSize(size);
    // The charts are drawn again in the next frame.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.screenshot({ path: `${SHOTS}looks/${name}-${look}.png` });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name}, ${look}: ${wide} pixels too wide`);
  }
  await page.emulateMedia(plain);
  if (before) await page.setViewportSize(before);
}

/** axe finds nothing. Its script is injected through the debugger, so the page's Content-Security-Policy stays. */
async function clean(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(
    found.violations.map(
      (v) =>
        `${v.id}: ${v.nodes
          .slice(0, 3)
          .map((n) => `${n.target} ${n.failureSummary}`)
          .join(' | ')}`,
    ),
    [],
  );
}

/** The file that a click on a button downloads. */
export async function download(page, name) {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name, exact: true }).click(),
  ]);
  const chunks = [];
  for await (const chunk of await file.createReadStream()) chunks.push(chunk);
  return { name: file.suggestedFilename(), bytes: Buffer.concat(chunks) };
}

export const hash = (page) => page.evaluate(() => location.hash);
export const hostHash = (address, more = '') => `#host=${encodeURIComponent(address)}${more}`;
/** Waits for the charts: the values of a point are above them. */
export const drawn = (page) => page.waitForSelector('.page:not(.loading) .readout b');
export const plot = async (page) => page.locator('.plot').first().boundingBox();
export const until = (page, claim, argument) => page.waitForFunction(claim, argument, { polling: 50 });
