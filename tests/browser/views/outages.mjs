// The list of outages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, drawn, hash, until, visit } from '../harness.mjs';

const listed = (page) => page.waitForSelector('.part table tbody tr');

test('outages are listed, by host and whether they are over, and lead to their charts', () => visit(async (page, { axe, shot }) => {
  await listed(page);
  const all = await page.locator('.part tbody tr').count();
  await axe();
  await shot('outages-light');
  await page.getByLabel('Host', { exact: true }).selectOption('127.0.1.2');
  await until(page, (n) => document.querySelectorAll('.part tbody tr').length < n, all);
  // Four of the provider's, one of the gateway's and one of its own in 90 days.
  assert.equal(await page.locator('.part tbody tr').count(), 6);
  assert.match(await page.locator('.part tbody').innerText(), /2 h 5 min/);
  await page.locator('.part tbody a').first().click();
  await drawn(page);
  assert.match(await hash(page), /host=127\.0\.1\.2&from=\d+&to=\d+/);
}, { hash: '#page=outages' }));

test('the outages are saved as CSV', () => visit(async (page) => {
  await listed(page);
  assert.match((await download(page, 'CSV')).bytes.toString(), /^host_name,host_address,event_type,start_time.*\r\n.*,outage,\d{4}-\d\d-\d\dT/);
}, { hash: '#page=outages' }));

test('a host’s page lists its outages and says how many the range has', () => visit(async (page) => {
  await drawn(page);
  await page.getByText(/6 outages of 4 h \d+ min in this range/).waitFor();
  await page.getByText(/^90 days: 6, 4 h/).waitFor();
}, { hash: '#host=127.0.1.2&range=90d' }));
