// The controls of a host's charts: ranges, zoom, keys, crosshair, files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, drawn, hash, hostHash, plot, until, visit } from '../harness.mjs';

const HOST = hostHash('127.0.1.2');

test('every range is one click away and is in the URL', () =>
  visit(
    async (page) => {
      await drawn(page);
      for (const [text, key] of [
        ['1 h', '1h'],
        ['6 h', '6h'],
        ['7 d', '7d'],
        ['30 d', '30d'],
        ['90 d', '90d'],
        ['1 y', '1y'],
        ['All', 'all'],
      ]) {
        await page.getByRole('group', { name: 'Range' }).getByRole('button', { name: text, exact: true }).click();
        assert.match(await hash(page), new RegExp(`range=${key}$`));
        await page.waitForSelector('.page:not(.loading) .readout b');
      }
      await page.getByRole('group', { name: 'Range' }).getByRole('button', { name: '24 h', exact: true }).click();
      assert.doesNotMatch(await hash(page), /range/);
    },
    { hash: HOST },
  ));

test('a custom range is set by its start and end', () =>
  visit(
    async (page) => {
      await drawn(page);
      await page.getByRole('button', { name: 'Custom' }).click();
      const end = await page.locator('#range-to').inputValue();
      const from = `${(await page.locator('#range-from').inputValue()).slice(0, 11)}00:00`;
      await page.locator('#range-from').fill(from);
      await page.getByRole('button', { name: 'Show', exact: true }).click();
      const p = new URLSearchParams((await hash(page)).slice(1));
      assert.equal(new Date(Number(p.get('to')) * 1000).toISOString().slice(14, 16), end.slice(14, 16));
      await page.waitForSelector('.page:not(.loading) .readout b');
    },
    { hash: HOST },
  ));

test('dragging zooms in, a double click goes back', () =>
  visit(
    async (page) => {
      await drawn(page);
      const box = await plot(page);
      await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 4 });
      assert.ok(await page.locator('.selection').first().isVisible());
      await page.mouse.up();
      await until(page, () => /from=\d+&to=\d+/.test(location.hash));
      const p = new URLSearchParams((await hash(page)).slice(1));
      const length = Number(p.get('to')) - Number(p.get('from'));
      assert.ok(length > 3 * 3600 && length < 8 * 3600, String(length));
      await page.waitForSelector('.page:not(.loading) .readout b');
      await page.mouse.dblclick(box.x + box.width * 0.5, box.y + 60);
      await until(page, () => !/from=/.test(location.hash));
    },
    { hash: HOST },
  ));

test('keys pan, zoom and read the charts', () =>
  visit(
    async (page) => {
      await drawn(page);
      await page.locator('.chart').focus();
      await page.keyboard.press('ArrowLeft');
      await until(page, () => /from=/.test(location.hash));
      const before = await hash(page);
      await page.keyboard.press('ArrowRight');
      await until(page, (h) => location.hash !== h, before);
      await page.keyboard.press('+');
      await page.waitForSelector('.page:not(.loading) .readout b');
      await page.keyboard.press('Shift+ArrowLeft');
      await until(page, () => /received \d+ of \d+/.test(document.getElementById('spoken').textContent));
      assert.ok(await page.locator('.cursor').first().isVisible());
      await page.keyboard.press('Escape');
      await until(page, () => document.querySelector('.cursor').hidden);
      const zoomed = await hash(page);
      await page.keyboard.press('-');
      await until(page, (h) => location.hash !== h, zoomed);
    },
    { hash: HOST },
  ));

test('one crosshair spans all charts, and its values are above them', () =>
  visit(
    async (page, { shot }) => {
      await drawn(page);
      const still = await page.locator('.readout').first().innerText();
      const box = await plot(page);
      await page.mouse.move(box.x + box.width * 0.42, box.y + 50);
      await until(page, (text) => document.querySelector('.readout').innerText !== text, still);
      assert.equal(await page.locator('.cursor:visible').count(), await page.locator('.cursor').count());
      assert.match(
        await page.locator('.readout').nth(1).innerText(),
        /median [\d.–]+.*p25 to p75.*p5 to p95.*min to max/s,
      );
      await shot('crosshair');
      await page.mouse.move(5, 5);
      await until(page, () => document.querySelector('.cursor').hidden);
    },
    { hash: HOST },
  ));

test('latency is logarithmic or linear, and the heat map shows loss or latency', () =>
  visit(
    async (page) => {
      await drawn(page);
      await page.getByRole('button', { name: 'Linear' }).click();
      assert.match(await hash(page), /scale=linear/);
      await page.waitForSelector('.heat');
      await page.getByRole('group', { name: 'Heat map of' }).getByRole('button', { name: 'Latency' }).click();
      await page
        .getByText(/ ms\. |stands out/)
        .first()
        .waitFor();
      assert.match(await hash(page), /heat=latency/);
    },
    { hash: HOST },
  ));

test('a click on a day of the strip shows that day', () =>
  visit(
    async (page) => {
      await drawn(page);
      const box = await page.locator('.navigator .bars').boundingBox();
      await page.mouse.click(box.x + box.width * 0.95, box.y + 10);
      await until(page, () => /from=/.test(location.hash));
      const p = new URLSearchParams((await hash(page)).slice(1));
      assert.equal(Number(p.get('to')) - Number(p.get('from')), 86400);
    },
    { hash: HOST },
  ));

test('the charts are saved as CSV and as PNG', () =>
  visit(
    async (page) => {
      await drawn(page);
      const text = await download(page, 'CSV');
      assert.equal(text.bytes.subarray(0, 3).toString('hex'), 'efbbbf', 'spreadsheets recognise UTF-8 by it');
      const lines = text.bytes.subarray(3).toString().trim().split('\r\n');
      assert.match(lines[0], /^host_name,host_address,time,until,state,checks,sent,lost,success_rate/);
      assert.match(lines[1], /^Provider,127\.0\.1\.2,\d{4}-/);
      assert.ok(lines.length > 20);
      assert.match(text.name, /^Provider_.*\.csv$/);
      const picture = await download(page, 'PNG');
      assert.equal(picture.bytes.subarray(1, 4).toString(), 'PNG');
      assert.ok(picture.bytes.readUInt32BE(16) > 1000);
    },
    { hash: HOST },
  ));
