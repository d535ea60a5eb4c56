// How the page looks and speaks: colours, forced colours, paper, touch, screen readers, clock changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawn, home, hostHash, until, visit } from '../harness.mjs';

const HOST = hostHash('127.0.1.2');
const strips = (page) => page.waitForSelector('.hosts tbody .strip');
/** When summer time ended last in Berlin: the last Sunday of October, 01:00 UTC. */
const CHANGE = (() => {
  const now = new Date();
  const of = (year) => {
    const last = new Date(Date.UTC(year, 9, 31, 1));
    last.setUTCDate(31 - last.getUTCDay());
    return last;
  };
  const [newest] = [of(now.getUTCFullYear()), of(now.getUTCFullYear() - 1)].filter((change) => change < now);
  return newest.getTime() / 1000;
})();

test('texts of buttons, links, headings and cells have spaces between their parts', async () => {
  for (const [hash, ready] of [
    ['', strips],
    [HOST, drawn],
    ['#page=outages', (page) => page.waitForSelector('.part table')],
    ['#page=compare&hosts=127.0.1.1,127.0.1.2', drawn],
  ])
    await visit(
      async (page) => {
        await ready(page);
        const glued = await page
          .locator('button, a, h1, h2, th, td, p, li, dt, dd, caption')
          .evaluateAll((all) =>
            all.flatMap((element) => {
              const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
              const texts = [];
              while (walker.nextNode()) texts.push(walker.currentNode);
              // Blocks are separate texts anyway.
              const block = (node) =>
                getComputedStyle(node.parentElement).display === 'inline' ? block(node.parentElement) : node.parentElement;
              return texts
                .slice(1)
                .filter((text, i) => block(text) === block(texts[i]))
                .map((text) => `${texts[texts.indexOf(text) - 1].data.slice(-12)}|${text.data.slice(0, 12)}`)
                .filter((text) => /[\p{L}\p{N}%]\|[\p{L}\p{N}]/u.test(text));
            }),
          );
        assert.deepEqual([...new Set(glued)], [], hash);
      },
      { hash },
    );
});

test('the values of a point are spoken with pauses between them', () =>
  visit(
    async (page) => {
      await drawn(page);
      await page.locator('.chart').focus();
      await page.keyboard.press('Shift+ArrowLeft');
      await until(page, () => document.getElementById('spoken').textContent);
      assert.match(
        await page.locator('#spoken').textContent(),
        /^\S+ \d\d:\d\d to \d\d:\d\d, \w+, received \d+ of \d+, success [\d.]+ %, worst check [\d.]+ %, median [\d.]+, p25 to p75 .*, min to max [\d.]+ to [\d.]+ milliseconds$/,
      );
    },
    { hash: HOST },
  ));

test('on a phone the charts explain fingers, elsewhere mouse and keys', async () => {
  for (const [context, words, others] of [
    [{ hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } }, 'Touch a chart', 'double-click'],
    [{}, 'double-click', 'Touch a chart'],
  ])
    await visit(
      async (page) => {
        await drawn(page);
        const hint = await page.locator('#chart-keys').innerText();
        assert.ok(hint.includes(words) && !hint.includes(others), hint);
      },
      { hash: HOST, context },
    );
});

test('a chart across a clock change marks it, and its values have their offset', () =>
  visit(
    async (page, { shot }) => {
      await drawn(page);
      const box = await page.locator('.plot').first().boundingBox();
      const readout = page.locator('.readout').first();
      for (const [share, offset] of [
        [0.3, 'UTC+2'],
        [0.7, 'UTC+1'],
      ]) {
        await page.mouse.move(box.x + box.width * share, box.y + 50);
        await until(page, (text) => document.querySelector('.readout').textContent.includes(text), offset);
        assert.match(await readout.innerText(), /^\S+ .*\d\d:\d\d to \d\d:\d\d UTC\+[12]/);
      }
      await shot('clock-change');
    },
    { hash: `${HOST}&from=${CHANGE - 43200}&to=${CHANGE + 43200}` },
  ));
test('the printable report has landmarks, names for its charts, and no word that is too wide', () =>
  visit(
    async (page, { axe, shot }) => {
      await page.goto(`${home.url}api/report?days=30`);
      const charts = page.locator('svg');
      assert.ok((await charts.count()) > 4);
      for (const name of await charts.evaluateAll((all) => all.map((e) => e.ariaLabel)))
        assert.match(name, /^.+, \d+ days: \d+ [a-z]|^Latency and lost pings of .*pings lost/);
      assert.equal(await page.locator('main').count(), 1);
      await page.getByRole('region', { name: 'Latency and lost pings' }).waitFor();
      await axe();
      await shot('report');
      await page.setViewportSize({ width: 320, height: 800 });
      await axe();
      await shot('report-320');
    },
    { faults: /./ },
  ));
