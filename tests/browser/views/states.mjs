// What the page shows in special states: no data yet, no monitor, no server, no line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { home, program, quick, recordedHost, until, visit } from '../harness.mjs';
import { createProxy, network, soon } from '../program.mjs';

const three = [0, 1, 2].map(recordedHost);
const AGO_MINUTES = 134;

test('the first run shows its progress, and is replaced by the results', async () => {
  // A first check of ten seconds, so that its state is visible.
  const slow = { ping_count: 10, ping_spacing_ms: 1000, interval_seconds: 12 };
  const young = await program(three.map((host) => ({ ...host, ...slow })));
  await young.start();
  await visit(
    async (page, { axe, shot }) => {
      await page.getByRole('heading', { name: 'Waiting for the first results' }).waitFor();
      await page.getByText('in progress, no result yet').waitFor();
      await page.getByText('Measuring for the first time').waitFor();
      await axe();
      await shot('empty-light');
      await page.getByRole('heading', { name: 'The line is up' }).waitFor();
      assert.ok(await page.locator('.steps').isHidden());
    },
    { of: young },
  );
  await young.stop();
});

test('a first run that cannot measure shows the reason and the cure', async () => {
  const cut = await program([{ ...quick, name: 'Far end', address: '2001:db8::1' }]);
  await cut.start();
  await visit(
    async (page, { shot }) => {
      await page.getByText(/^Far end: .*doctor: it prints how to fix this/).waitFor();
      await shot('cut-off-light');
    },
    { of: cut },
  );
  await cut.stop();
});

test('a page without a database says that no monitor is running', async () => {
  const bare = await program(three);
  await bare.start('dashboard');
  await visit(
    async (page, { axe, shot }) => {
      await page.getByRole('heading', { name: 'Nothing measured yet' }).waitFor();
      await page.getByText('start it: ace-connection-logger monitor').waitFor();
      assert.equal(await page.locator('.hosts tbody tr').count(), 3);
      await axe();
      await shot('no-database-light');
      await bare.stop();
      await bare.start();
      await page.getByRole('heading', { name: 'The line is up' }).waitFor();
    },
    { of: bare, faults: /Failed to load resource/ },
  );
  await bare.stop();
});

for (const [name, words] of [
  ['stopped', /The monitor was stopped cleanly at /],
  ['killed', /without a clean stop/],
]) {
  test(`a monitor that was ${name} gets a red banner with the age of the last result`, async () => {
    const silent = await program(three, { recorded: [3, 90, AGO_MINUTES] });
    if (name === 'killed') await silent.sql('update monitor_run set stopped_at = null');
    await silent.start('dashboard');
    await visit(
      async (page, { axe, shot }) => {
        await page.locator('.banner').getByText('The monitor has stopped. Nothing is measured.').waitFor();
        assert.match(await page.locator('.banner').innerText(), words);
        assert.match(await page.locator('.banner').innerText(), /The last result is 2 h 1\d min old/);
        assert.match(await page.locator('#connection').innerText(), /Stopped, last check 2 h 1\d min ago/);
        await page.getByRole('heading', { name: 'The line is not measured' }).waitFor();
        assert.match(await page.locator('.hosts .c-state').nth(1).innerText(), /was up/);
        await page.waitForSelector('.hosts .strip');
        await axe();
        await shot(`${name}-light`);
      },
      { of: silent },
    );
    await silent.stop();
  });
}

test('while the monitor cannot write, the page shows what it wrote before, and why', async () => {
  const full = await program(three.map((host) => ({ ...quick, ...host })), { recorded: [3, 90] });
  await full.start();
  await visit(async (page) => page.getByRole('heading', { name: 'The line is up' }).waitFor(), { of: full });
  const unlock = await full.lock();
  await soon(async () => (await full.get('api/status')).unwritten, 'a failed write');
  await visit(
    async (page, { axe, shot }) => {
      const banner = page.locator('.banner');
      await banner.getByText('The monitor cannot write its results. Nothing new can be shown: ').waitFor();
      assert.match(await banner.innerText(), /database is locked; results are kept in the monitor's memory/);
      await page.getByRole('heading', { name: 'The line was up' }).waitFor();
      assert.match(await page.locator('#connection').innerText(), /Results are not written/);
      await page.waitForSelector('.hosts .strip');
      await axe();
      await shot('unwritten-light');
      await unlock();
      await page.getByRole('heading', { name: 'The line is up' }).waitFor();
      assert.equal(await banner.count(), 0);
    },
    { of: full },
  );
  await full.stop();
});

test('without a server the page shows that, keeps its data, and recovers', async () => {
  const lost = await program(three, { recorded: [3, 90] });
  await lost.start();
  await visit(
    async (page, { axe, shot }) => {
      await page.waitForSelector('.hosts .strip');
      await lost.stop('SIGKILL');
      await page.getByText(/^Server not reached, trying again in \d+ s$/).waitFor();
      await page.getByRole('heading', { name: 'The line was up' }).waitFor();
      await page.getByText(/^That was at \d\d:\d\d\. Server not reached: nothing has been known/).waitFor();
      assert.deepEqual(await page.locator('.hosts .c-state').allInnerTexts(), ['State', 'was up', 'was up', 'was up']);
      assert.equal(await page.locator('.text-up').count(), 0, 'nothing is up in green');
      assert.equal(await page.locator('.hosts tbody .strip').count(), 3);
      await axe();
      await shot('lost-light');
      await lost.start();
      await page.getByText(/^Live, last check/).waitFor();
    },
    { of: lost, faults: /Failed to load resource/ },
  );
  await lost.stop();
});

// Chromium reports a redirect to this address as a request, but the page does not follow it.
const LOGIN = 'http://127.0.0.1:1/login';
for (const [name, status, headers, body, words, sentence] of [
  ['a redirect to another host', 302, { location: LOGIN }, '', 'Login needed', /^A login is needed\. Something between/],
  ['a redirect to its own login', 302, { location: '/login' }, '', 'Login needed', /^A login is needed\./],
  ['a refusal', 401, {}, 'no', 'Login needed', /^A login is needed\./],
  ['another refusal', 403, {}, 'no', 'Login needed', /^A login is needed\./],
  ['a page for the login', 200, { 'content-type': 'text/html' }, '<form>', 'Login needed', /^A login is needed\./],
  [
    'an error', 502, {}, 'bad gateway', /^The server answers with an error, trying again in \d+ s$/,
    /Nothing new can be shown: a proxy answers in its place, with status 502\.$/,
  ],
]) {
  test(`a proxy that answers with ${name} is no server that cannot be reached`, async () => {
    const proxy = await createProxy(home);
    const visited = visit(
      async (page, { axe, shot }) => {
        await page.getByRole('heading', { name: 'The line is up' }).waitFor();
        proxy.answer = { status, headers, body };
        await page.locator('#connection').getByText(words).waitFor();
        await page.locator('.banner').getByText(sentence).waitFor();
        await page.getByRole('heading', { name: 'The line was up' }).waitFor();
        assert.equal(await page.getByRole('button', { name: 'Log in again' }).count(), status === 502 ? 0 : 1);
        if (status === 401) {
          await axe();
          await shot('login-light');
        }
        proxy.answer = null;
        if (status === 401) await page.getByRole('button', { name: 'Log in again' }).click();
        await page.getByText(/^Live, last check/).waitFor();
      },
      { of: proxy, faults: /Failed to load resource/, unfollowed: LOGIN },
    );
    await visited.finally(proxy.close);
  });
}

const insertOutage = ([kind, name, address, cause, notes]) => `
  insert into outage_events(host_name, host_address, event_type, start_time, cause, notes)
  values('${name}', '${address}', '${kind}', strftime('%Y-%m-%d %H:%M:%f', 'now', '-250 seconds'),
    '${cause}', ${notes ? `'${notes}'` : 'null'});`;

/** A dashboard on a database whose monitor seems to be running, with the given outages. Of the hosts only the gateway
 * answers. */
async function frozen(outages) {
  const one = await program(
    three.map((host, i) => (i ? host : { ...host, role: 'gateway' })),
    { recorded: [3, 90] },
  );
  await one.start('dashboard');
  const check = (i, received) => `
    insert into ping_results(host_name, host_address, timestamp,
      success_count, failure_count, min_latency, avg_latency, max_latency)
    values('Sensor ${i}', '127.0.1.${i + 1}', strftime('%Y-%m-%d %H:%M:%f', 'now'),
      ${received}, ${5 - received}, 1, 1, 1);`;
  await one.sql(`update monitor_run set stopped_at = null, alive_at = unixepoch() * 1000;
    ${outages.map(insertOutage).join('')} ${check(0, 5)} ${check(1, 0)} ${check(2, 0)}`);
  return one;
}

const PROVIDER_OUT = [1, 2].map((i) => ['outage', `Sensor ${i}`, `127.0.1.${i + 1}`, 'provider']);

for (const [look, options] of [
  ['light', {}],
  ['dark', { scheme: 'dark' }],
  ['phone', { size: 'phone' }],
]) {
  test(`hosts that are down for one cause share one banner, whose duration counts up: ${look}`, async () => {
    const cut = await frozen(PROVIDER_OUT);
    await visit(
      async (page, { axe, shot }) => {
        await page
          .locator('.banner')
          .getByText(
            /^Provider outage, 2 hosts, since \d\d:\d\d, for 4 min \d+ s\. The gateway answers, but nothing beyond it does\.$/,
          )
          .waitFor();
        assert.equal(await page.locator('.banner').count(), 1);
        const first = await page.locator('.banner [data-since]').innerText();
        await until(page, (text) => document.querySelector('.banner [data-since]').textContent !== text, first);
        await page.waitForSelector('.step .shape');
        const words = await page.locator('.step').allInnerTexts();
        assert.deepEqual(
          words.map((w) => /Not judged|Down|Up/.exec(w)?.[0]).join(),
          look === 'phone' ? 'Up,Up,Down,,' : 'Up,Up,Down,Not judged,Not judged',
        );
        await page.waitForSelector('.hosts .strip');
        await axe();
        await shot(`provider-out-${look}`);
        await page.getByRole('link', { name: 'Show outages' }).click();
        await page.waitForSelector('.running');
        assert.equal(await page.locator('.running').count(), 1, 'one row for both hosts');
        await page.locator('.running').getByText('2 hosts').waitFor();
        const lasts = await page.locator('.running [data-since]').first().innerText();
        await until(page, (text) => document.querySelector('.running [data-since]').textContent !== text, lasts);
        await shot(`running-${look}`);
      },
      { of: cut, ...options },
    );
    await cut.stop();
  });
}

test('the tab of a page that nobody sees shows trouble, and the monitor is not told of a viewer', async () => {
  const cut = await frozen([]);
  await visit(
    async (page, { requests }) => {
      await page.getByRole('heading', { name: 'No host beyond the gateway answers' }).waitFor();
      assert.equal(await page.title(), 'Overview · ace-connection-logger');
      const icon = () => page.locator('link[rel=icon]').getAttribute('href');
      assert.equal(await icon(), 'icon.svg');
      await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', { value: true });
        document.dispatchEvent(new Event('visibilitychange'));
      });
      const before = requests.length;
      await cut.sql(PROVIDER_OUT.map(insertOutage).join(''));
      await until(page, () => document.title === 'Provider outage · Overview · ace-connection-logger');
      assert.match(await icon(), /^data:image/);
      const asked = requests.slice(before).filter((url) => url.includes('/latest'));
      assert.ok(asked.length >= 1 && asked.length <= 3, asked.join());
      assert.ok(asked.slice(-1)[0].endsWith('/latest?background=true'), asked.join());
      // The picture of the icon is valid.
      const [width] = await page.evaluate(async (href) => {
        const image = new Image();
        image.src = href;
        await image.decode();
        return [image.naturalWidth];
      }, await icon());
      assert.ok(width > 0);
    },
    { of: cut },
  );
  await cut.stop();
});

test('notices that wait are shown with the reason, and are gone when they are sent', async () => {
  const waits = await frozen([]);
  await waits.sql(
    "insert into notice(made_at, kind, tries, failed_at, failure, output) " +
      "values((unixepoch() - 600) * 1000, 'down', 3, unixepoch() * 1000, 'sh: exit status: 3', 'a secret')",
  );
  await visit(
    async (page, { axe, shot }) => {
      const banner = page.locator('.banner');
      await banner.getByText(/^1 notice has been waiting since \d\d:\d\d: no alerts\.command is configured\.$/).waitFor();
      await axe();
      await shot('notices-light');
      await waits.sql('update notice set told_at = unixepoch() * 1000');
      await banner.waitFor({ state: 'detached' });
    },
    { of: waits },
  );
  await waits.stop();
});

test('a link that is down is shown as not measured, and nothing beyond it is judged', async () => {
  const cut = await frozen([['link_down', 'link', 'IPv4 and IPv6', 'link', 'eth0 has no carrier']]);
  await cut.sql('delete from check_result where checked_at > (unixepoch() - 300) * 1000');
  await visit(
    async (page, { axe, shot }) => {
      const banner = page.locator('.banner.minor');
      await banner
        .getByText(
          /^This machine’s link is down since \d\d:\d\d, for 4 min \d+ s\. Nothing can be sent, so nothing is measured: eth0 has no carrier\.$/,
        )
        .waitFor();
      await page.waitForSelector('.step .shape');
      assert.match(
        (await page.locator('.step').allInnerTexts()).join(),
        /Link Down[^]*Gateway Not judged[^]*Hosts Not judged/,
      );
      await axe();
      await shot('link-down-light');
    },
    { of: cut },
  );
  await cut.stop();
});

test('a line that goes down is shown at once, and so is its recovery', async () => {
  const line = await program([1, 2, 3].map((i) => ({ ...quick, name: `Far end ${i}`, address: `127.0.2.${i}` })));
  await line.start();
  try {
    await visit(
      async (page, { axe, shot }) => {
        await page.getByRole('heading', { name: 'The line is up' }).waitFor();
        await network(4, 'silent');
        await page.getByRole('heading', { name: 'All 3 hosts are down' }).waitFor();
        await page
          .locator('.banner')
          .getByText(
            /^3 hosts are down: Far end 1, Far end 2 and Far end 3\. The first since \d\d:\d\d, for \d+ s\. Cause: host\.$/,
          )
          .waitFor();
        await axe();
        await shot('down-light');
        await network(4, 'answers');
        await page.getByRole('heading', { name: 'The line is up' }).waitFor();
        await page.locator('.banner').waitFor({ state: 'detached' });
        await page.getByRole('link', { name: 'Outages', exact: true }).click();
        await until(page, () => document.querySelectorAll('.part tbody tr').length === 1);
        await page.locator('.part tbody').getByText('3 hosts').waitFor();
        assert.doesNotMatch(await page.locator('.part tbody').innerText(), /still down/);
      },
      { of: line },
    );
  } finally {
    await network(4, 'answers');
  }
  await line.stop();
});
