// What opens above the page or changes it as a whole: forms, dialogs, the view for a wall.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawn, hostHash, visit } from '../harness.mjs';

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
