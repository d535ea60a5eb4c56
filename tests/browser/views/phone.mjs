// The same page on a phone, where it must not scroll sideways either.
import { test } from 'node:test';
import { hostHash, visit } from '../harness.mjs';

const PLACES = [
  ['phone-overview', '', '.hosts .strip'], ['phone-host', hostHash('127.0.1.2'), '.pings svg'],
  ['phone-compare', '#page=compare&hosts=127.0.1.2,127.0.1.4', '.readout b'], ['phone-outages', '#page=outages', '.part table'],
];
for (const [name, where, ready] of PLACES) {
  test(`${name} fits and is readable`, () => visit(async (page, { axe, shot }) => {
    await page.waitForSelector(ready);
    await axe();
    await shot(name);
  }, { size: 'phone', hash: where }));
}
