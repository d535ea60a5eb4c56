// Several hosts over each other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, drawn, hash, plot, until, visit } from '../harness.mjs';

test('several hosts are shown over each other', () => visit(async (page, { axe, shot }) => {
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
  for (const name of ['Local Gateway', 'Provider', 'Mail server']) assert.ok(lines.some((line) => line.startsWith(`${name},`)), name);
}, { hash: '#page=compare&hosts=127.0.1.1,127.0.1.2' }));
