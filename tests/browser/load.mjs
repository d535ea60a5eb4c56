// Measures how many bytes the first load takes, when the page can be used, and the longest task until then and while a
// filter is set and cleared. Prints only, checks nothing.
//     BUILT=<folder of the release build> ./run node load.mjs
import { chromium } from 'playwright-core';
import { clear, createProgram } from './program.mjs';

const RUNS = 7;
const ARGUMENTS = [
  '--no-sandbox',
  '--headless',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const hosts = (count) =>
  Array.from({ length: count }, (_, i) => ({
    name: `Sensor ${i}`,
    address: `127.0.${Math.floor(i / 250) + 1}.${(i % 250) + 1}`,
  }));
/** @type {[string, number, string, string][]} name, hosts, hash, what must be drawn */
const CASES = [
  ['overview, 3 hosts', 3, '', '.hosts tbody tr:nth-child(3) .strip'],
  ['overview, 100 hosts', 100, '', '.hosts tbody tr:nth-child(10) .strip'],
  ['overview, 500 hosts', 500, '', '.hosts tbody tr:nth-child(10) .strip'],
  ['host, 24 hours', 3, '#host=127.0.1.2', '.readout b'],
  ['host, 90 days', 3, '#host=127.0.1.2&range=90d', '.readout b'],
];

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** A first visit, with an empty cache.
 * @returns {Promise<{bytes: number, requests: number, usable: number, longest: number}>}
 * usable: milliseconds from the start of the navigation; longest: milliseconds of a task */
async function visit(browser, url, selector) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1100 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  const found = { bytes: 0, requests: 0, usable: 0, longest: 0 };
  await session.send('Network.enable');
  let isOver = false;
  let polls = 0;
  session.on('Network.requestWillBeSent', (e) => {
    if (e.request.url.endsWith('/latest')) polls += 1;
    isOver = polls > 1;
  });
  session.on('Network.loadingFinished', (e) => {
    if (isOver) return;
    found.bytes += e.encodedDataLength;
    found.requests += 1;
  });
  await page.addInitScript((wanted) => {
    window.longest = 0;
    new PerformanceObserver((list) => {
      window.longest = Math.max(window.longest, ...list.getEntries().map((e) => e.duration));
    }).observe({ type: 'longtask', buffered: true });
    const check = () => {
      if (document.querySelector(wanted)) window.usable = performance.now();
      else requestAnimationFrame(check);
    };
    check();
  }, selector);
  await page.goto(url);
  await page.waitForFunction(() => window.usable);
  found.usable = await page.evaluate(() => window.usable);
  // What is loaded in the background counts too, until the page polls for new results.
  while (!isOver) await page.waitForResponse(/latest/);
  const filter = page.locator('#filter');
  if (await filter.count()) {
    await filter.fill('sensor 1');
    await filter.fill('');
    await page.waitForResponse(/latest/);
  }
  found.longest = await page.evaluate(() => window.longest);
  if (process.env.TRACE) {
    console.log(
      await page.evaluate(() =>
        performance
          .getEntriesByType('resource')
          .map((e) => `${e.startTime.toFixed(0)} ${e.responseEnd.toFixed(0)} ${e.transferSize} ${e.name}`)
          .join('\n'),
      ),
    );
  }
  await context.close();
  return found;
}

const programs = new Map();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
try {
  for (const [name, count, hash, selector] of CASES) {
    if (!programs.has(count)) {
      programs.set(count, await createProgram(hosts(count), { recorded: [count, count > 100 ? 2 : 90] }));
      await programs.get(count).start();
    }
    // The first visit warms up the browser.
    await visit(browser, programs.get(count).url + hash, selector);
    const runs = [];
    for (let n = 0; n < RUNS; n += 1) runs.push(await visit(browser, programs.get(count).url + hash, selector));
    const usable = runs.map((r) => Math.round(r.usable));
    const kilobytes = (median(runs.map((r) => r.bytes)) / 1000).toFixed(1);
    const requests = median(runs.map((r) => r.requests));
    const times = `${median(usable)} ms (${Math.min(...usable)} to ${Math.max(...usable)})`;
    const longest = Math.round(median(runs.map((r) => r.longest)));
    console.log(`${name}: ${kilobytes} kB in ${requests} requests, usable after ${times}, longest task ${longest} ms`);
  }
} finally {
  await browser.close();
  await clear([...programs.values()]);
}
