// What opens above the page or changes it as a whole: forms, dialogs, the view for a wall.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawn, hash, home, hostHash, until, visit } from '../harness.mjs';

const strips = (page) => page.waitForSelector('.hosts tbody .strip');

test('Escape closes the form of a custom range, and the focus returns to its button', () =>
  visit(
    async (page) => {
      await drawn(page);
      const custom = page.getByRole('button', { name: 'Custom' });
      assert.equal(await custom.getAttribute('aria-expanded'), 'false');
      await custom.click();
      assert.equal(await custom.getAttribute('aria-expanded'), 'true');
      await page.locator('#range-to').focus();
      await page.keyboard.press('Escape');
      assert.equal(await page.locator('.custom').isVisible(), false);
      assert.equal(await custom.getAttribute('aria-expanded'), 'false');
      assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Custom');
    },
    { hash: hostHash('127.0.1.2') },
  ));

test('the key ? lists the keys, and Escape closes the list', () =>
  visit(async (page, { axe, shot, requests }) => {
    await strips(page);
    assert.ok(!requests.some((url) => url.includes('dialog')), 'loaded when it is wanted');
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog', { name: 'View and keys' });
    await dialog.getByText('Filter or find hosts').waitFor();
    await axe();
    await shot('view-dialog-light');
    await page.keyboard.press('/');
    assert.notEqual(await page.evaluate(() => document.activeElement.id), 'filter', 'no key acts below a dialog');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
  }));

test('the view for a wall shows the state alone, is in the URL, and Escape leaves it', () =>
  visit(async (page, { axe, shot }) => {
    await strips(page);
    await page.keyboard.press('f');
    await until(page, () => document.body.classList.contains('wall'));
    assert.match(await hash(page), /wall=1/);
    for (const hidden of ['#pages', '#pause', '#filter'])
      assert.equal(await page.locator(hidden).isVisible(), false, hidden);
    assert.ok(await page.locator('#connection').isVisible(), 'whether the page is up to date is always shown');
    await axe();
    await page.setViewportSize({ width: 1920, height: 1080 });
    await shot('wall-light');
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    await page.keyboard.press('Escape');
    await until(page, () => !document.body.classList.contains('wall'));
    assert.doesNotMatch(await hash(page), /wall/);
    assert.ok(await page.locator('#filter').isVisible());
  }));

test('adding a host is explained with the lines, the file and the commands to copy', () =>
  visit(
    async (page, { axe, shot }) => {
      await strips(page);
      await page.getByRole('button', { name: 'Add a host' }).click();
      const dialog = page.getByRole('dialog', { name: 'Add a host' });
      const { config_path: path } = await home.get('api/status');
      assert.match(path, /^\/.*config\.yaml$/);
      await dialog.getByText(path, { exact: true }).waitFor();
      await dialog.getByText(`ace-connection-logger check-config -c ${path}`).waitFor();
      await dialog.getByText('sudo systemctl reload ace-connection-logger').waitFor();
      await page.getByLabel('Name', { exact: true }).fill('NAS');
      await page.getByLabel('Address', { exact: true }).fill('192.168.1.20');
      await axe();
      await shot('add-host-light');
      await page.getByRole('button', { name: 'Copy the lines' }).click();
      await until(page, () => [...document.querySelectorAll('dialog button')].some((b) => b.textContent === 'Copied'));
      assert.equal(
        await page.evaluate(() => navigator.clipboard.readText()),
        '  - name: NAS\n    address: 192.168.1.20',
      );
      await page.setViewportSize({ width: 320, height: 700 });
      await shot('add-host-320');
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    },
    { context: { permissions: ['clipboard-read', 'clipboard-write'] } },
  ));
