// The page that compares hosts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, drawn, hash, plot, program, quick, until, visit } from '../harness.mjs';

test('several hosts share the same charts', () =>
  visit(
    async (page, { axe, shot }) => {
      await drawn(page);
      assert.equal(await page.locator('.choice[aria-pressed=true]').count(), 2);
      await page.getByRole('button', { name: 'Mail server' }).click();
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 3);
      assert.match(await hash(page), /hosts=127\.0\.1\.1%2C127\.0\.1\.2%2C127\.0\.1\.4/);
      await axe();
      await shot('compare-light');
      const still = await page.locator('.readout').first().innerText();
      const box = await plot(page);
      await page.mouse.move(box.x + 300, box.y + 50);
      await until(page, (text) => document.querySelector('.readout').innerText !== text, still);
      const lines = (await download(page, 'CSV')).bytes.toString().trim().split('\r\n');
      for (const name of ['Local Gateway', 'Provider', 'Mail server'])
        assert.ok(
          lines.some((line) => line.startsWith(`${name},`)),
          name,
        );
    },
    { hash: '#page=compare&hosts=127.0.1.1,127.0.1.2' },
  ));

test('an unknown host is named, and the others are shown', () =>
  visit(
    async (page, { requests }) => {
      await page.getByText('Not known here: 192.0.2.99.').waitFor();
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 1);
      const requestCount = () => requests.filter((url) => url.includes('192.0.2.99')).length;
      const before = requestCount();
      await page.waitForTimeout(2500);
      assert.equal(requestCount(), before, 'it is not requested again');
      // The sentence stays until the host is removed.
      await page.evaluate(() => {
        location.hash += '&scale=linear';
      });
      await until(page, () => document.querySelector('[data-key=linear]').getAttribute('aria-pressed') === 'true');
      assert.equal(await page.locator('.host-top p').innerText(), '2 hosts chosen, at most 5. Not known here: 192.0.2.99.');
      await page.getByRole('button', { name: '192.0.2.99' }).click();
      await page.getByText('1 host chosen, at most 5.', { exact: true }).waitFor();
    },
    { hash: '#page=compare&hosts=192.0.2.99,127.0.1.1', faults: /404/ },
  ));

test('one name with two IP versions has two rows, two pages and two lines', async () => {
  const twins = await program(
    [4, 6].map((family) => ({ ...quick, name: `Twin ${family}`, address: 'localhost', family })),
  );
  await twins.start();
  await visit(
    async (page) => {
      const row = (name) => page.locator('.hosts tbody tr', { hasText: name });
      await row('Twin 4').getByText('Up').waitFor();
      // Over IPv6 nothing answers here, or localhost has no IPv6 address.
      await row('Twin 6')
        .getByText(/^(Down|Not measured)$/)
        .waitFor();
      await page.getByRole('link', { name: 'Twin 6', exact: true }).click();
      await page.getByRole('heading', { name: /^Twin 6 is (down|not measured)$/ }).waitFor();
      await page.getByRole('link', { name: 'Compare', exact: true }).last().click();
      await page.getByRole('button', { name: 'Twin 4' }).click();
      await until(page, () => document.querySelectorAll('.part tbody tr').length === 2);
      const names = await page.locator('.part tbody a').allInnerTexts();
      assert.deepEqual(names, ['Twin 6', 'Twin 4']);
      const lines = (await download(page, 'CSV')).bytes.toString();
      assert.match(lines, /^Twin 4,localhost \(IPv4\),.*,up,/m);
      assert.doesNotMatch(lines, /^Twin 6,.*,up,/m);
    },
    { of: twins },
  );
  await twins.stop();
});
