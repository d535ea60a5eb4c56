// The pages on a phone. None may scroll sideways.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostHash, program, recordedHost, visit } from '../harness.mjs';

const PLACES = [
  ['phone-overview', '', '.hosts .strip'],
  ['phone-host', hostHash('127.0.1.2'), '.pings svg'],
  ['phone-compare', '#page=compare&hosts=127.0.1.2,127.0.1.4', '.readout b'],
  ['phone-outages', '#page=outages', '.part table'],
];
for (const [name, where, ready] of PLACES) {
  test(`${name} fits and is readable`, () =>
    visit(
      async (page, { axe, shot }) => {
        await page.waitForSelector(ready);
        await axe();
        await shot(name);
      },
      { size: 'phone', hash: where },
    ));
}

test('long names on a narrow phone make no page scroll sideways', async () => {
  const long = await program(
    [{ ...recordedHost(0), name: 'a-very-long-host-name-that-goes-on-for-fifty-three-ch' }, recordedHost(1)],
    { recorded: [2, 90] },
  );
  await long.start();
  for (const [name, where, ready] of PLACES) {
    await visit(
      async (page, { shot }) => {
        await page.waitForSelector(ready);
        for (const width of [390, 320]) {
          await page.setViewportSize({ width, height: 844 });
          assert.equal(
            await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
            0,
            `${name}, ${width} pixels`,
          );
        }
        await shot(`${name}-narrow`);
      },
      {
        of: long,
        size: 'phone',
        hash: where
          .replace(/127\.0\.1\.\d,127\.0\.1\.\d/, '127.0.1.1,127.0.1.2')
          .replace('host=127.0.1.2', 'host=127.0.1.1'),
      },
    );
  }
  await long.stop();
});
