// The page of one host: what it shows, and how it is kept up to date.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawn, hash, home, hostHash, program, quick, until, visit } from '../harness.mjs';
import { soon } from '../program.mjs';

const PROVIDER = '127.0.1.2';
const series = (requests) => requests.filter((url) => url.includes('/api/series')).length;

async function whole(page) {
  await drawn(page);
  for (const part of ['.histogram', '.heat', '.pings svg']) await page.waitForSelector(part);
}

test('a host’s page shows charts, figures, distribution, heat map, outages and checks', () =>
  visit(
    async (page, { axe, shot }) => {
      await whole(page);
      assert.equal(await page.locator('.stats div').count(), 8);
      for (const figure of await page.locator('.stats dd').allInnerTexts()) assert.match(figure, /^\d/);
      await page.getByRole('heading', { name: 'Provider is up' }).waitFor();
      for (const name of [
        'Success rate, %',
        'Latency, ms',
        'Distribution',
        'By hour of the week',
        'Outages',
        'Recent checks',
      ])
        await page.getByRole('heading', { name, exact: true }).waitFor();
      const painted = await page
        .locator('.plot canvas')
        .first()
        .evaluate((c) => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size);
      assert.ok(painted > 8, 'the canvas is painted');
      await axe();
      await shot('host-light');
      await page.getByRole('button', { name: 'Show more' }).click();
      assert.ok((await page.locator('.pings').count()) > 10);
    },
    { hash: hostHash(PROVIDER) },
  ));

test('a host’s page follows the system’s dark colour scheme', () =>
  visit(
    async (page, { axe, shot }) => {
      await whole(page);
      await axe();
      await shot('host-dark');
    },
    { scheme: 'dark', hash: hostHash(PROVIDER, '&range=7d') },
  ));

test('a click on a host opens its page, and the back button returns', () =>
  visit(async (page) => {
    await page.getByRole('link', { name: 'Provider', exact: true }).click();
    await drawn(page);
    assert.equal(await hash(page), hostHash(PROVIDER));
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
    await page.goBack();
    await page.waitForSelector('.hosts');
  }));

test('a new result appears within 3 s of the check’s end, without another request for the history', () =>
  visit(
    async (page, { requests }) => {
      await whole(page);
      await page.evaluate(() => {
        const first = () => document.querySelector('.checks time')?.dateTime;
        let known = first();
        window.seen = [];
        new MutationObserver(() => {
          if (first() === known) return;
          known = first();
          window.seen.push({ at: Date.parse(known), after: Date.now() - Date.parse(known) });
        }).observe(document.querySelector('.checks'), { childList: true, subtree: true });
      });
      // The first one may come long after the newest result of the history, which is then requested again.
      await until(page, () => window.seen.length >= 1);
      const requestCount = requests.filter((url) => /series|ping-results\?/.test(url)).length;
      await until(page, () => window.seen.length >= 6);
      const seen = await page.evaluate(() => window.seen);
      const lasts = quick.ping_spacing_ms * (quick.ping_count - 1);
      for (const { after } of seen) assert.ok(after - lasts < 3000, `seen ${after - lasts} ms after its end`);
      assert.ok(
        seen.some(({ at }, i) => i > 0 && at > seen[i - 1].at),
        'newest first',
      );
      // On a busy machine a result may be missed: then its history is requested, and only then.
      const times = seen.map(({ at }) => at);
      const isMissed = (at, i) => i > 0 && at - times[i - 1] > 1500 * quick.interval_seconds;
      const missed = times.filter(isMissed).length;
      const more = requests.filter((url) => /series|ping-results\?/.test(url)).length - requestCount;
      assert.ok(more <= 2 * missed, `${more} requests, although only ${missed} results were missed: ${times}`);
      // A result that was added has its pings too.
      assert.equal(await page.locator('.checks tbody tr').first().locator('.pings rect').count(), quick.ping_count);
    },
    { hash: hostHash(quick.address, '&range=1h') },
  ));

test('results missed during a pause are requested', () =>
  visit(
    async (page, { requests }) => {
      await whole(page);
      const requestCount = series(requests);
      await page.getByRole('button', { name: 'Pause' }).click();
      const known = Date.parse((await home.newest(quick.address)).timestamp);
      await soon(
        async () =>
          Date.parse((await home.newest(quick.address)).timestamp) - known > 2.5 * 1000 * quick.interval_seconds,
        'three more checks',
      );
      await Promise.all([page.waitForResponse(/series/), page.getByRole('button', { name: 'Pause' }).click()]);
      assert.equal(series(requests), requestCount + 1);
    },
    { hash: hostHash(quick.address) },
  ));

test('a range without data shows a message and keeps its axes', () =>
  visit(
    async (page, { axe, shot }) => {
      await page.getByText(/^The record begins later: [A-Z]/).waitFor();
      await page.getByText('No check in this range.').waitFor();
      await axe();
      await shot('no-data-light');
    },
    { hash: hostHash(PROVIDER, '&from=1600000000&to=1600086400') },
  ));

test('on the first day a range begins with the record, and the time before it is blank', async () => {
  const young = await program([quick]);
  await young.start();
  await visit(
    async (page, { requests, shot }) => {
      await drawn(page);
      const { first_check: first } = await young.get('api/status');
      const series = () => new URL(requests.filter((url) => url.includes('api/series')).slice(-1)[0]).searchParams;
      await page.getByRole('button', { name: '90 d' }).click();
      // The page may have learnt only now that something was measured.
      await soon(async () => Number(series().get('from')) >= Date.parse(first) / 1000 - 61, 'the record’s range');
      await drawn(page);
      await shot('first-day-light');
      // Chosen by hand it may begin earlier, and nothing is hatched there.
      const now = Math.floor(Date.now() / 1000);
      await page.goto(`${young.url}${hostHash(quick.address, `&from=${now - 600}&to=${now + 60}`)}`);
      await drawn(page);
      assert.equal(Number(series().get('from')), now - 600);
      const blank = await page.evaluate(() => {
        const canvas = /** @type {HTMLCanvasElement} */ (document.querySelectorAll('.plot canvas')[1]);
        const { width, height } = canvas;
        const place = [Math.round(width * 0.2), 0, Math.round(width * 0.3), height];
        return new Set(canvas.getContext('2d').getImageData(...place).data).size;
      });
      assert.equal(blank, 1, 'one colour, so no hatching');
      await shot('before-the-record-light');
    },
    { of: young, hash: hostHash(quick.address) },
  );
  await young.stop();
});

test('a host that the server does not know gets a message', () =>
  visit(
    async (page, { axe, shot }) => {
      await page.getByRole('heading', { name: '192.0.2.1 is not known here' }).waitFor();
      await page.getByText('It was never recorded and is not configured. All hosts').waitFor();
      await until(page, () => /(^| · )Unknown host · ace-connection-logger$/.test(document.title));
      for (const part of ['.stats', '.history', '.parts', '.host-controls'])
        assert.equal(await page.locator(part).first().isVisible(), false, `no ${part} of an unknown host`);
      await axe();
      await shot('unknown-host-light');
      await page.getByRole('link', { name: 'All hosts' }).click();
      await page.getByRole('heading', { name: 'The line is up' }).waitFor();
    },
    { hash: hostHash('192.0.2.1'), faults: /404/ },
  ));

test('the heat map of a range of more than a year shows the last year', () =>
  visit(
    async (page) => {
      await drawn(page);
      await page.locator('.heat-legend').waitFor();
      await until(page, () => document.querySelectorAll('.checks tbody tr, .part tbody tr').length > 5);
      await page.getByText(/Earlier hours are left out here\.$/).waitFor();
      assert.equal(await page.getByText(/The server refused/).count(), 0);
    },
    {
      hash: hostHash(
        '127.0.1.2',
        `&from=${Math.floor(Date.now() / 1000) - 500 * 86400}&to=${Math.floor(Date.now() / 1000)}`,
      ),
    },
  ));

test('the title of the tab is the name of the host', () =>
  visit(
    async (page) => {
      await drawn(page);
      assert.match(await page.title(), /(^| · )Provider · ace-connection-logger$/);
    },
    { hash: hostHash('127.0.1.2') },
  ));
