// The overview: verdict, figures, table of hosts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, hash, home, program, recordedHost, until, visit } from '../harness.mjs';

const strips = (page) => page.waitForSelector('.hosts tbody .strip');

test('the overview shows the verdict, and every host with state, strip and figures', () =>
  visit(async (page, { axe, shot, requests }) => {
    await strips(page);
    assert.equal(await page.locator('.hosts tbody tr').count(), home.hosts.length);
    await page.getByRole('heading', { name: 'The line is up' }).waitFor();
    await page
      .locator('#connection')
      .getByText(/^Live, last check \d+ s ago$/)
      .waitFor();
    assert.match(await page.locator('#zone').innerText(), /^Times in Europe\/Berlin \(UTC\+[12]\)$/);
    assert.match(await page.locator('.hosts tbody .strip').last().getAttribute('aria-label'), /days? up/);
    const row = page.locator('.hosts tbody tr', { hasText: '127.0.1.2' });
    assert.match(
      await row.innerText(),
      /Up\s+Provider 127\.0\.1\.2\s+[\d.]+\s+[\d.]+\s+\d+\.\d\d\s+9\d\.\d\d\s+9\d\.\d$/,
    );
    assert.ok(!requests.some((url) => /host\.js|compare\.js/.test(url)), 'other pages are not loaded yet');
    for (const path of ['api/overview?', 'api/status'])
      assert.equal(requests.filter((url) => url.includes(path)).length, 1, `${path} is requested once, and early`);
    await axe();
    await shot('overview-light');
  }));

test('figures of a record of minutes say since when, and longer ranges are not shown', async () => {
  const young = await program([recordedHost(0)], { recorded: [1, 2] });
  await young.start();
  await young.sql(`delete from check_result where checked_at < (unixepoch() - 1380) * 1000;
    delete from rollup; delete from rollup_day; delete from not_measured_check;
    insert or ignore into stale_rollup(host_id, hour) select distinct host_id, checked_at / 3600000 from check_result`);
  await visit(
    async (page, { shot }) => {
      await strips(page);
      await page.locator('.figures').getByText(/^since /).waitFor();
      const labels = await page.locator('.figures dt').allInnerTexts();
      assert.match(labels.filter(Boolean).join('|'), /^since (yesterday )?\d\d:\d\d\|measured since then$/);
      const title = await page.locator('.hosts td.c-measured').first().getAttribute('title');
      assert.match(title, /^since (yesterday )?\d\d:\d\d$/);
      await shot('young-light');
      await page.locator('.hosts tbody a').first().click();
      await page
        .locator('.stats')
        .getByText(/^measured since (yesterday )?\d\d:\d\d$/)
        .waitFor();
      await page.getByRole('link', { name: 'Compare', exact: true }).last().click();
      await page
        .locator('.card.full td')
        .getByText(/^since (yesterday )?\d\d:\d\d$/)
        .waitFor();
    },
    { of: young },
  );
  await young.stop();
});

test('a narrow window shows fewer columns, and no row is too wide', () =>
  visit(async (page, { shot }) => {
    await strips(page);
    for (const width of [1200, 1000, 720, 800]) {
      await page.setViewportSize({ width, height: 900 });
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, `${width} pixels`);
      const outside = await page
        .locator('.hosts tbody tr')
        .evaluateAll((rows) => rows.filter((r) => r.getBoundingClientRect().right > innerWidth).length);
      assert.equal(outside, 0, `${width} pixels`);
    }
    await shot('overview-narrow');
  }));

test('the overview follows the system’s dark colour scheme', () =>
  visit(
    async (page, { axe, shot }) => {
      await strips(page);
      await axe();
      await shot('overview-dark');
    },
    { scheme: 'dark' },
  ));

test('a host that cannot be measured is not down, and the reason is shown', () =>
  visit(async (page) => {
    const row = page.locator('.hosts tbody tr', { hasText: 'Mirror, IPv6' });
    await row.getByText('Not measured').waitFor();
    await row.getByText(/no route|cannot|unreachable/i).waitFor();
  }));

test('one host that is down gets a banner, and the line stays up', () =>
  visit(async (page) => {
    await page
      .locator('.banner')
      .getByText(/^Office VPN is down since \d\d:\d\d, for/)
      .waitFor();
    await page.getByRole('heading', { name: 'The line is up' }).waitFor();
  }));

test('a day of the strip has its words, and leads to its charts by pointer, keyboard and finger', () =>
  visit(async (page, { axe, shot }) => {
    await strips(page);
    const days = page.getByRole('slider', { name: /^What most hosts saw, by day/ });
    const tip = page.locator('.tip');
    await days.hover({ position: { x: 3, y: 30 } });
    await tip.getByText(/^[A-Z][a-z]{2} \d+ [A-Z][a-z]{2}: /).waitFor();
    const box = await days.boundingBox();
    await days.hover({ position: { x: box.width - 2, y: 30 } });
    await tip.getByText(/^Today: /).waitFor();
    await page.mouse.move(0, 0);
    await tip.waitFor({ state: 'hidden' });
    // By keyboard: the last day, the day before, the outages of one.
    await page.keyboard.press('Tab');
    await days.focus();
    await page.keyboard.press('End');
    await tip.getByText(/^Today: /).waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    const text = await days.getAttribute('aria-valuetext');
    assert.equal(await tip.innerText(), text);
    assert.doesNotMatch(text, /Today/);
    await axe();
    await shot('day-light');
    await page.keyboard.press('Escape');
    assert.ok(await tip.isHidden());
    await page.keyboard.press('Enter');
    await page.waitForSelector('.readout b');
    const [, from, to] = /page=compare&hosts=[^&]+&from=(\d+)&to=(\d+)/.exec(decodeURIComponent(await hash(page)));
    assert.ok([23, 24, 25].includes((to - from) / 3600), `${from} ${to}`);
    // The strip of a host leads to its page.
    await page.goBack();
    await strips(page);
    const row = page.locator('.hosts tbody tr', { hasText: '127.0.1.2' }).locator('.pickable');
    await row.hover();
    await tip.getByText(/: /).waitFor();
    await row.click();
    await page.waitForSelector('.readout b');
    assert.match(await hash(page), /host=127\.0\.1\.2&from=\d+&to=\d+/);
    const picker = page.getByRole('slider', { name: /^Days of 90/ });
    await picker.focus();
    await page.keyboard.press('Home');
    await tip.getByText(/: /).waitFor();
    const opened = await hash(page);
    await page.keyboard.press('Enter');
    await until(page, (old) => location.hash !== old, opened);
    // The first touch shows the day, the second opens it.
    const before = await hash(page);
    const place = await picker.boundingBox();
    const touch = (x) =>
      picker.evaluate((e, clientX) => {
        e.dispatchEvent(new PointerEvent('pointerdown', { pointerType: 'touch', clientX }));
        e.dispatchEvent(new MouseEvent('click', { clientX }));
      }, x);
    await touch(place.x + place.width / 2);
    await tip.getByText(/: /).waitFor();
    assert.equal(await hash(page), before);
    await touch(place.x + place.width / 2);
    await until(page, (old) => location.hash !== old, before);
  }));

test('every figure is explained to a pointer, a finger and the keyboard', () =>
  visit(async (page, { axe, shot }) => {
    await strips(page);
    const names = page.locator('[class=figures] dt');
    assert.equal(await names.count(), 4);
    const hint = page.getByRole('tooltip');
    await page.mouse.move(2, 2);
    await page.waitForFunction(() => performance.getEntriesByName(new URL('js/parts/hints.js', location.href).href)[0]);
    await names.first().hover();
    await names.first().hover({ position: { x: 4, y: 4 } });
    await hint.getByText(/^The share of the measured time that was in no outage\./).waitFor();
    await axe();
    await shot('hint-light');
    await page.mouse.move(2, 2);
    await hint.waitFor({ state: 'hidden' });
    await names.last().focus();
    await hint.getByText(/^The share of the time since the first record/).waitFor();
    assert.equal(await names.last().getAttribute('aria-describedby'), 'hint');
    await page.keyboard.press('Escape');
    await hint.waitFor({ state: 'hidden' });
    await page.goto(`${home.url}#host=127.0.1.2`);
    await page.locator('.stats dt').first().waitFor();
    await page.waitForSelector('.page:not(.loading) .pings svg');
    for (const name of await page.locator('.stats dt').all()) {
      await name.click();
      await hint.getByText(/^.{20,}\.$/).waitFor();
    }
    assert.equal(await page.locator('.stats dt').count(), 8);
  }));

test('every column of hosts and every chart is explained', () =>
  visit(async (page) => {
    const hint = page.getByRole('tooltip');
    /** Every name in its turn, with another text for each. @param {string} names @param {number} count */
    const explains = async (names, count) => {
      await until(page, ([all, n]) => document.querySelectorAll(all).length >= n, [names, count]);
      const texts = [];
      for (const name of await page.locator(names).all()) {
        await name.focus();
        await hint.getByText(/^.{20,}\.$/).waitFor();
        texts.push(await hint.textContent());
        await page.keyboard.press('Escape');
      }
      assert.equal(new Set(texts).size, count, texts.join('\n'));
    };
    await strips(page);
    await page.mouse.move(2, 2);
    await page.waitForFunction(() => performance.getEntriesByName(new URL('js/parts/hints.js', location.href).href)[0]);
    await explains('.hosts thead [data-hint]', 9);
    await page.goto(`${home.url}#host=127.0.1.2`);
    await explains('h2 [data-hint]', 4);
    await page.goto(`${home.url}#page=compare&hosts=127.0.1.2,127.0.1.3`);
    await explains('.head [data-hint], thead [data-hint]', 8);
  }));

test('a step of the path leads to the outages of its cause', () =>
  visit(async (page) => {
    await page.getByRole('link', { name: 'Provider, its outages in 90 days' }).click();
    await page.waitForSelector('.part table tbody tr');
    assert.match(await hash(page), /page=outages&cause=provider/);
  }));

test('hosts are filtered by name after / and sorted by columns', () =>
  visit(async (page) => {
    await strips(page);
    const rows = page.locator('.hosts tbody tr');
    await page.keyboard.press('/');
    await page.keyboard.type('Local');
    await until(page, () => document.querySelectorAll('.hosts tbody tr').length === 1);
    assert.match(await hash(page), /query=Local/);
    await page.locator('#filter').fill('no such host');
    await page.getByText('No host matches “no such host”').waitFor();
    await page.getByRole('button', { name: 'Clear filter' }).click();
    await until(page, (n) => document.querySelectorAll('.hosts tbody tr').length === n, home.hosts.length);
    await page.getByRole('button', { name: 'Host', exact: true }).click();
    const names = await page.locator('.hosts .c-host a').allInnerTexts();
    assert.deepEqual(
      names,
      [...names].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })),
    );
    assert.equal(await page.locator('th[data-sort=name]').getAttribute('aria-sort'), 'ascending');
    await page.getByRole('button', { name: 'Host', exact: true }).click();
    assert.equal(await page.locator('th[data-sort=name]').getAttribute('aria-sort'), 'descending');
    await page.getByRole('button', { name: /^Down 1/ }).click();
    assert.match(await hash(page), /state=down/);
    assert.equal(await rows.count(), 1);
    await page.reload();
    await until(page, () => document.querySelectorAll('.hosts tbody tr').length === 1);
  }));

test('the overview is saved as CSV', () =>
  visit(async (page) => {
    await strips(page);
    const text = (await download(page, 'CSV')).bytes.toString().trim().split('\r\n');
    assert.equal(text.length, home.hosts.length + 1);
    assert.ok(
      text.some((line) => /^Provider,127\.0\.1\.2,up,[\d.]+,/.test(line)),
      text.join('\n'),
    );
  }));

test('the button Pause stops the updates and resumes them', () =>
  visit(async (page, { requests }) => {
    const requestCount = () => requests.filter((url) => url.includes('latest')).length;
    await page.locator('#connection').getByText(/^Live/).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText(/^Paused at \d\d:\d\d$/).waitFor();
    const paused = requestCount();
    // A page that is not paused would send two requests in that time.
    await page.evaluate(
      () =>
        new Promise((done) => {
          setTimeout(done, 2200);
        }),
    );
    assert.ok(requestCount() <= paused + 1, 'one request may have been in progress');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.locator('#connection').getByText(/^Live/).waitFor();
    await page.waitForResponse(/latest/);
  }));

test('with a hundred hosts the rows that are not visible are not drawn', async () => {
  const many = await program(
    Array.from({ length: 100 }, (_, i) => recordedHost(i)),
    { recorded: [100, 2] },
  );
  await many.start();
  await visit(
    async (page, { axe, shot }) => {
      await until(page, () => document.querySelectorAll('.hosts tbody tr').length === 100);
      await strips(page);
      assert.ok((await page.locator('.hosts tbody .strip').count()) < 60);
      await page.locator('.hosts tbody tr').last().scrollIntoViewIfNeeded();
      await until(page, () => document.querySelector('.hosts tbody tr:last-child .strip'));
      await page.evaluate(() => scrollTo(0, 0));
      await axe();
      await shot('hundred-light');
      await page.keyboard.press('/');
      await page.keyboard.type('sensor 77 .78');
      await until(page, () => document.querySelectorAll('.hosts tbody tr').length === 1);
    },
    { of: many },
  );
  await many.stop();
});

test('with five hundred hosts few rows are placed at once, and all in their order', async () => {
  const many = await program(
    Array.from({ length: 500 }, (_, i) => ({
      name: `Sensor ${i}`,
      address: `127.0.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`,
    })),
  );
  await many.start('dashboard');
  await visit(
    async (page) => {
      const names = () => page.locator('.hosts .c-host a').allInnerTexts();
      const rows = (n) => until(page, (all) => document.querySelectorAll('.hosts tbody tr').length === all, n);
      await rows(500);
      await page.evaluate(() => {
        window.most = 0;
        new MutationObserver((changes) => {
          const added = changes.reduce((sum, change) => sum + change.addedNodes.length, 0);
          window.most = Math.max(window.most, added);
        }).observe(document.querySelector('.hosts tbody'), { childList: true });
      });
      await page.locator('#filter').fill('sensor 477 .228');
      await rows(1);
      await page.locator('#filter').fill('');
      await rows(500);
      const inOrder = await names();
      await page.getByRole('button', { name: 'Host', exact: true }).click();
      await page.getByRole('button', { name: 'Host', exact: true }).click();
      await until(page, () => document.querySelector('.hosts tbody a').textContent === 'Sensor 499');
      await until(page, () => document.querySelector('.hosts tbody tr:last-child a').textContent === 'Sensor 0');
      assert.deepEqual(await names(), inOrder.reverse());
      const most = await page.evaluate(() => window.most);
      assert.ok(most > 0 && most <= 50, `${most} rows at once`);
      await page.keyboard.press('f');
      await rows(60);
      await page.getByText('and 440 more, none of them worse').waitFor();
      await page.keyboard.press('Escape');
      await rows(500);
      assert.equal(await page.getByText(/more, none of them/).isVisible(), false);
    },
    { of: many, faults: /Failed to load resource/ },
  );
  await many.stop();
});

test('long names are shown to their ends, and so are the addresses', async () => {
  const alike = await program(
    [1, 2, 3].map((i) => ({ ...recordedHost(i), name: `customer-site-berlin-north-rack-${i}-switch` })),
    { recorded: [4, 2] },
  );
  await alike.start();
  await visit(
    async (page, { shot }) => {
      await strips(page);
      for (const width of [1440, 1100, 800]) {
        await page.setViewportSize({ width, height: 900 });
        const hidden = await page
          .locator('.hosts .c-host')
          .evaluateAll((cells) =>
            cells
              .filter(
                (c) =>
                  c.textContent.includes('rack') &&
                  [c, ...c.children].some((e) => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1),
              )
              .map((c) => c.textContent),
          );
        assert.deepEqual(hidden, [], `${width} pixels`);
        await shot(`alike-${width}`);
      }
    },
    { of: alike },
  );
  await alike.stop();
});

test('the first load is small over the wire', () =>
  visit(async (page, { requests }) => {
    await strips(page);
    const bytes = await page.evaluate(() =>
      [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce(
        (sum, e) => sum + e.transferSize,
        0,
      ),
    );
    assert.ok(bytes < 60000, `${bytes} bytes`);
    assert.ok(!requests.some((url) => url.includes('firstrun')), 'only a first run needs that');
  }));
