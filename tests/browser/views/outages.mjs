// The page of outages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, drawn, hash, program, recordedHost, until, visit } from '../harness.mjs';

const listed = (page) => page.waitForSelector('.part table tbody tr');

test('outages are filtered by host, and link to their charts', () =>
  visit(
    async (page, { axe, shot }) => {
      await listed(page);
      const all = await page.locator('.part tbody tr').count();
      await axe();
      await shot('outages-light');
      await page.setViewportSize({ width: 720, height: 900 });
      assert.equal(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
        0,
        'a table that is too wide is scrolled by itself',
      );
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.getByLabel('Host', { exact: true }).selectOption('127.0.1.2');
      await until(page, (n) => document.querySelectorAll('.part tbody tr').length < n, all);
      // In 90 days four with cause provider, one with cause gateway, one with cause host.
      assert.equal(await page.locator('.part tbody tr').count(), 6);
      assert.match(await page.locator('.part tbody').innerText(), /2 h 5 min/);
      await page.locator('.part tbody a').first().click();
      await drawn(page);
      assert.match(await hash(page), /host=127\.0\.1\.2&from=\d+&to=\d+/);
    },
    { hash: '#page=outages' },
  ));

test('outages are filtered by cause, and the square marks the failed step', () =>
  visit(
    async (page) => {
      await listed(page);
      await page.getByLabel('Cause', { exact: true }).selectOption('provider');
      // Four outages of three hosts each, of which each is one row.
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 4);
      assert.equal(await page.locator('.part tbody').getByText('3 hosts').count(), 4);
      assert.match(await hash(page), /cause=provider/);
      const places = await page
        .locator('.glyph rect')
        .evaluateAll((all) => [...new Set(all.map((r) => r.getAttribute('x')))]);
      assert.deepEqual(places, ['34'], 'the third of five');
      await page.getByLabel('Cause', { exact: true }).selectOption('link');
      await page.locator('.part tbody').getByText('IPv4 and IPv6').waitFor();
      assert.equal(await page.locator('.part tbody td', { hasText: '1 h 35 min' }).count(), 1);
    },
    { hash: '#page=outages' },
  ));

test('outages that began together are one row, which unfolds to its hosts, and time counts once', () =>
  visit(
    async (page, { axe, shot }) => {
      await listed(page);
      await page.getByLabel('Cause', { exact: true }).selectOption('provider');
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 4);
      const sum = await page.locator('.host-top p').innerText();
      assert.match(sum, /^In 90 days 4 such outages \(12 counted for each host\); at least one of 3 hosts was down for /);
      const report = await page.request.get(new URL('api/report?days=90&format=json', page.url()).href);
      const { causes } = await report.json();
      const { seconds } = causes.find((c) => c.cause === 'provider');
      assert.ok(sum.includes(` down for ${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`), sum);
      const more = page.getByRole('button', { name: /^Hosts: 3 hosts, / }).first();
      await more.focus();
      await page.keyboard.press('Enter');
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 7);
      assert.equal(await more.getAttribute('aria-expanded'), 'true');
      assert.ok(await more.evaluate((e) => e === document.activeElement), 'the focus stays');
      await page.getByRole('button', { name: /^Details: Provider, / }).click();
      await page.getByText(/^ace-connection-logger outages --note \d+ "TEXT"$/).waitFor();
      await axe();
      await shot('outages-unfolded');
      await page.keyboard.press('Escape');
      await more.click();
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 4);
    },
    { hash: '#page=outages' },
  ));

test('older outages than those of 90 days are paged to', async () => {
  const long = await program([0, 1].map(recordedHost), { recorded: [2, 2] });
  await long.start();
  // 150 outages, one every five days.
  const ago = (days, minutes) => `strftime('%Y-%m-%d %H:%M:%S', 'now', '-' || (${days}) || ' days', '${minutes} minutes')`;
  await long.sql(`delete from outage_events; with recursive n(i) as (select 1 union all select i + 1 from n where i < 150)
    insert into outage_events(host_name, host_address, event_type,
      start_time, end_time, duration_seconds, checks_failed)
    select 'Sensor 0', '127.0.1.1', 'outage', ${ago('i * 5', '0')}, ${ago('i * 5', '+1')}, 60, 1 from n`);
  await visit(
    async (page) => {
      await listed(page);
      assert.equal(await page.locator('.part tbody tr').count(), 100);
      await page.getByRole('button', { name: 'Show older outages' }).click();
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 150);
      assert.equal(await page.getByRole('button', { name: 'Show older outages' }).count(), 0);
    },
    { of: long, hash: '#page=outages' },
  );
  await long.stop();
});

test('the details of an outage open by keyboard, and a screen reader announces that', () =>
  visit(
    async (page, { axe, shot }) => {
      await listed(page);
      await page.getByLabel('Host', { exact: true }).selectOption('127.0.1.2');
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 6);
      const more = page.getByRole('button', { name: /^Details: Provider, / }).first();
      assert.equal(await more.getAttribute('aria-expanded'), 'false');
      await more.focus();
      await page.keyboard.press('Enter');
      assert.equal(await more.getAttribute('aria-expanded'), 'true');
      const text = await page.locator(`[id="${await more.getAttribute('aria-controls')}"]`).innerText();
      for (const part of [
        /The gateway 192\.168\.1\.1 answered\. 2 other hosts beyond it did not answer either\./,
        /Last reply before\s+Sun|Mon|Tue|Wed|Thu|Fri|Sat/,
        /200 of 200 lost/,
        /192\.168\.1\.1, a silent hop, 100\.64\.0\.1, then nothing/,
      ])
        assert.match(text, part);
      await page
        .getByRole('button', { name: /^Details: Provider, / })
        .nth(2)
        .click();
      await axe();
      await shot('outage-details-light');
      await page.keyboard.press('Escape');
      await more.click();
      assert.equal(await more.getAttribute('aria-expanded'), 'false');
      await page.getByLabel('Host', { exact: true }).selectOption('127.0.1.4');
      await until(page, () => !document.querySelector('.part tbody')?.innerText.includes('127.0.1.2'));
      const planned = page.locator('.part tbody tr', { hasText: 'planned' });
      if ((await planned.getByRole('button').getAttribute('aria-expanded')) === 'false')
        await planned.getByRole('button').click();
      await page.getByText('yes, so it is not counted in any figure').waitFor();
      await page.getByText('upgrade of the mail server').waitFor();
    },
    { hash: '#page=outages' },
  ));

test('the page of outages follows the system’s dark colour scheme', () =>
  visit(
    async (page, { axe, shot }) => {
      await listed(page);
      await page
        .getByRole('button', { name: /^Hosts: / })
        .first()
        .click();
      await page
        .getByRole('button', { name: /^Details: Provider, / })
        .first()
        .click();
      await axe();
      await shot('outages-dark');
    },
    { scheme: 'dark', hash: '#page=outages' },
  ));

for (const [where, ready, hosts] of [
  ['', '.hosts .strip', ''],
  ['#page=outages&host=127.0.1.2', '.part table', '127.0.1.2'],
  ['#host=127.0.1.2&from=1790000000&to=1790003600', '.page:not(.loading)', '127.0.1.2'],
]) {
  test(`${where || 'the overview'} links to the printable report of its range and host`, () =>
    visit(
      async (page) => {
        await page.waitForSelector(ready);
        const link = page.getByRole('link', { name: /^Report \(printable/ });
        await until(page, () => document.querySelector('a[target=_blank]')?.hasAttribute('href'));
        const url = new URL(await link.getAttribute('href'), 'http://x/');
        assert.deepEqual(
          [
            url.pathname,
            url.searchParams.get('host_address') ?? '',
            await link.getAttribute('rel'),
            await link.getAttribute('target'),
          ],
          ['/api/report', hosts, 'noopener', '_blank'],
        );
        const length = Number(url.searchParams.get('to')) - Number(url.searchParams.get('from'));
        if (/from/.test(where)) assert.ok(Math.abs(length - 3600) <= 60, String(length));
        else assert.ok(Math.abs(length / 86400 - 89.5) <= 1, String(length));
      },
      { hash: where },
    ));
}

test('the outages are saved as CSV', () =>
  visit(
    async (page) => {
      await listed(page);
      assert.match(
        (await download(page, 'CSV')).bytes.toString(),
        /^\ufeffhost_name,host_address,event_type,start_time.*[^]*\r\n.*,outage,\d{4}-\d\d-\d\dT/,
      );
    },
    { hash: '#page=outages' },
  ));

test('a host’s page lists and counts the outages of the range, and every card shows that range', () =>
  visit(
    async (page) => {
      const card = page.locator('.part', { has: page.getByRole('heading', { name: 'Outages', exact: true }) });
      await drawn(page);
      await page.getByText(/6 outages in this range, 4 h \d+ min in all/).waitFor();
      await card.getByText('in this range', { exact: true }).waitFor();
      assert.equal(await card.locator('tbody tr').count(), 6);
      await page.getByRole('button', { name: '1 h', exact: true }).click();
      await page.getByText('No outage in this range.', { exact: true }).first().waitFor();
      await until(page, () => document.querySelectorAll('.parts tbody tr').length === 0);
      await page.getByText(/^in this range: \d+ answered, \d+ checks?$/).waitFor();
      await page.getByText(/Hours since \S+ \d+ \S+ \d{4}, longer than the range/).waitFor();
    },
    { hash: '#host=127.0.1.2&range=90d' },
  ));

test('an old range shows its outages even if newer ones fill the list', async () => {
  const often = await program([0, 1, 2].map(recordedHost), { recorded: [3, 90] });
  await often.start();
  // One minute of outage every 90 minutes for 87 days, added to the record of the gateway.
  const ago = (minutes) => `strftime('%Y-%m-%d %H:%M:%S', 'now', '-' || (${minutes}) || ' minutes')`;
  await often.sql(`with recursive n(i) as (select 1 union all select i + 1 from n where i < 1400)
    insert into outage_events(host_name, host_address, event_type,
      start_time, end_time, duration_seconds, checks_failed)
    select 'Sensor 0', '127.0.1.1', 'outage', ${ago('i * 90 + 30')}, ${ago('i * 90 + 29')}, 60, 1 from n`);
  const now = Math.floor(Date.now() / 1000);
  await visit(
    async (page) => {
      await drawn(page);
      // The newest thousand reach back 62 days; this range is 80 to 84 days ago.
      await page.getByText(/ 6\d outages in this range, 1 h \d+ min in all/).waitFor();
      await page.getByText(/^in this range, the newest 8 of 6\d$/).waitFor();
    },
    { of: often, hash: `#host=127.0.1.1&from=${now - 84 * 86400}&to=${now - 80 * 86400}` },
  );
  await visit(
    async (page, { shot }) => {
      await drawn(page);
      await page.getByText(/At least 1,\d\d\d outages in this range/).waitFor();
      await shot('outages-dense');
    },
    { of: often, hash: '#host=127.0.1.1&range=90d' },
  );
  await often.stop();
});
