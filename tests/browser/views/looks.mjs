// How the page looks and speaks: colours, forced colours, paper, touch, screen readers, clock changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawn, home, hostHash, until, visit } from '../harness.mjs';

const HOST = hostHash('127.0.1.2');
const strips = (page) => page.waitForSelector('.hosts tbody .strip');
const style = (locator, property) => locator.evaluate((e, name) => getComputedStyle(e).getPropertyValue(name), property);
const WHITE = 'rgb(255, 255, 255)';
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

test('the colours are chosen on the page, remembered, and drawn by the charts too', () =>
  visit(
    async (page, { axe, shot }) => {
      await drawn(page);
      const card = page.locator('.card').first();
      const corner = () =>
        page
          .locator('.plot canvas')
          .first()
          .evaluate((c) => c.toDataURL());
      const light = await corner();
      assert.equal(await style(card, 'background-color'), WHITE);
      await page.getByRole('button', { name: 'View', exact: true }).click();
      await page.getByRole('button', { name: 'Dark', exact: true }).click();
      await until(page, () => getComputedStyle(document.documentElement).colorScheme === 'dark');
      assert.notEqual(await style(card, 'background-color'), WHITE);
      assert.notEqual(await corner(), light, 'the charts are drawn again');
      await axe();
      await shot('view-dialog-dark');
      await page.keyboard.press('Escape');
      await page.reload();
      await drawn(page);
      assert.notEqual(await style(card, 'background-color'), WHITE, 'remembered');
      await page.getByRole('button', { name: 'View', exact: true }).click();
      await page.getByRole('button', { name: 'As the system', exact: true }).click();
      await until(page, () => getComputedStyle(document.documentElement).colorScheme === 'light');
      await page.emulateMedia({ colorScheme: 'dark' });
      await until(page, () => getComputedStyle(document.documentElement).colorScheme === 'dark');
    },
    { hash: HOST },
  ));

for (const [name, hash, ready] of [
  ['overview', '', strips],
  ['host', HOST, drawn],
  ['compare', '#page=compare&hosts=127.0.1.1,127.0.1.2', drawn],
  ['outages', '#page=outages', (page) => page.waitForSelector('.part table')],
]) {
  test(`on paper the ${name} has light colours and a time, and no controls`, () =>
    visit(
      async (page, { shot }) => {
        await ready(page);
        const used = page.locator('button, select, input, #pages, .skip');
        await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
        await until(page, () => getComputedStyle(document.documentElement).colorScheme === 'light');
        const range = name === 'host' || name === 'compare' ? ' Range: \\S+ \\d+ \\S+ \\d{4} .* to .*\\.' : '';
        await page.getByText(new RegExp(`^As of \\S+ \\d+ \\S+ \\d{4}, \\d\\d:\\d\\d\\.${range}$`)).waitFor();
        const left = await used.evaluateAll((all) => all.filter((e) => e.checkVisibility()).map((e) => e.outerHTML));
        assert.deepEqual(
          left.filter((text) => !text.includes('sorter')),
          [],
        );
        assert.equal(await style(page.locator('h1').last(), 'color'), 'rgb(18, 22, 29)');
        await page.setViewportSize({ width: 703, height: 1000 });
        await shot(`print-${name}`);
      },
      { scheme: 'dark', hash },
    ));

  test(`with forced colours the ${name} still shows what is chosen and what a colour means`, () =>
    visit(
      async (page, { shot }) => {
        await ready(page);
        const edges = await page
          .locator('#pages a')
          .evaluateAll((all) => all.map((a) => [a.ariaCurrent, getComputedStyle(a).borderBottomColor]));
        const current = edges.filter(([is]) => is).map(([, colour]) => colour);
        const others = edges.filter(([is]) => !is).map(([, colour]) => colour);
        assert.ok(!current.some((colour) => others.includes(colour)), JSON.stringify(edges));
        const grounds = (selector) =>
          page
            .locator(selector)
            .evaluateAll((all) => [...new Set(all.map((e) => getComputedStyle(e, '::before').backgroundColor))]);
        if (name === 'overview') assert.equal((await grounds('.legend .key:not(.key-not_measured)')).length, 4);
        // The hours of the week are loaded after the chart.
        if (name === 'host') {
          await page.locator('.heat-key').first().waitFor();
          assert.ok((await grounds('.heat-key:not(.heat-key-outage)')).length >= 5);
        }
        await shot(`forced-${name}`);
      },
      { hash, context: { forcedColors: 'active' } },
    ));
}

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
