// Every feature of the page, clicked through in headless Chromium. PAGE_URL names a running server; without it the mock is asked.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { download, hosts, start, stop, visit } from './harness.mjs';
import { createMock } from './mock.mjs';

let list;
let first;
before(async () => {
  await start();
  list = await hosts();
  first = list[0];
});
after(stop);

const hash = (page) => page.evaluate(() => location.hash);
const hostHash = (more = '') => `#host=${encodeURIComponent(first.address)}${more}`;
/** The charts are there: their heads show a point's values. */
const drawn = (page) => page.waitForSelector('.readout b');
const plot = async (page) => page.locator('.plot').first().boundingBox();
const until = (page, claim, argument) => page.waitForFunction(claim, argument, { polling: 50 });

test('the overview says how the line is, and lists every host with state, strip and figures', () => visit(async (page, { axe, shot, requests }) => {
  await page.waitForSelector('.hosts tbody .strip');
  assert.equal(await page.locator('.hosts tbody tr').count(), list.length);
  assert.match(await page.locator('h1').innerText(), /^The line is/);
  assert.match(await page.locator('#link').innerText(), /Live, last check|Stopped/);
  assert.match(await page.locator('#zone').innerText(), /^Times in Europe\/Berlin \(UTC\+[12]\)$/);
  for (const cell of await page.locator('.hosts .c-state').allInnerTexts()) assert.match(cell.trim() || 'State', /State|Up|Degraded|Down|Not measured|was/);
  assert.match(await page.locator('.hosts tbody .strip').first().getAttribute('aria-label'), /days? up/);
  assert.ok(!requests.some((url) => /host\.js|compare\.js/.test(url)), 'other pages are not loaded yet');
  await axe();
  await shot('overview-light');
}));

test('hosts are found by name with / and sorted by their columns', () => visit(async (page) => {
  await page.waitForSelector('.hosts tbody .strip');
  await page.keyboard.press('/');
  await page.keyboard.type(first.name.slice(0, 6));
  await until(page, (n) => document.querySelectorAll('.hosts tbody tr').length < n, list.length);
  assert.match(await hash(page), /query=/);
  await page.locator('#filter').fill('no such host');
  await page.getByText('No host matches “no such host”').waitFor();
  await page.getByRole('button', { name: 'Clear filter' }).click();
  await until(page, (n) => document.querySelectorAll('.hosts tbody tr').length === n, list.length);
  await page.getByRole('button', { name: 'Host', exact: true }).click();
  const names = await page.locator('.hosts .c-host a').allInnerTexts();
  assert.deepEqual(names, [...names].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })));
  assert.equal(await page.locator('th[data-sort=name]').getAttribute('aria-sort'), 'ascending');
  await page.getByRole('button', { name: 'Host', exact: true }).click();
  assert.equal(await page.locator('th[data-sort=name]').getAttribute('aria-sort'), 'descending');
  await page.getByRole('button', { name: /^Up \d/ }).click();
  assert.match(await hash(page), /state=up/);
}));

test('a host’s page shows charts, figures, distribution, heat map, outages and checks', () => visit(async (page, { axe, shot }) => {
  await drawn(page);
  await page.waitForSelector('.histogram');
  await page.waitForSelector('.heat');
  await page.waitForSelector('.pings svg');
  assert.equal(await page.locator('.stats div').count(), 8);
  assert.match(await page.locator('h1').innerText(), new RegExp(`^${first.name} is `));
  for (const name of ['Success rate, %', 'Latency, ms', 'Distribution', 'When it is bad', 'Outages', 'Recent checks']) await page.getByRole('heading', { name, exact: true }).waitFor();
  await page.getByRole('button', { name: 'Show more' }).click();
  assert.ok(await page.locator('.pings').count() > 10);
  const painted = await page.locator('.plot canvas').first().evaluate((c) => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size);
  assert.ok(painted > 8, 'the canvas is painted');
  await axe();
  await shot('host-light');
}, { hash: hostHash() }));

test('a click on a host leads to its page, back leads back', () => visit(async (page) => {
  await page.locator('.hosts .c-host a').first().click();
  await drawn(page);
  assert.match(await hash(page), /^#host=/);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
  await page.goBack();
  await page.waitForSelector('.hosts');
}));

test('every range is a click away and stands in the URL', () => visit(async (page) => {
  await drawn(page);
  for (const [text, key] of [['1 h', '1h'], ['6 h', '6h'], ['7 d', '7d'], ['30 d', '30d'], ['90 d', '90d'], ['1 y', '1y'], ['All', 'all']]) {
    await page.getByRole('group', { name: 'Range' }).getByRole('button', { name: text, exact: true }).click();
    assert.match(await hash(page), new RegExp(`range=${key}$`));
    await page.waitForSelector('.page:not(.loading) .readout b');
  }
  await page.getByRole('group', { name: 'Range' }).getByRole('button', { name: '24 h', exact: true }).click();
  assert.doesNotMatch(await hash(page), /range/);
}, { hash: hostHash() }));

test('any other range is given by its ends', () => visit(async (page) => {
  await drawn(page);
  await page.getByRole('button', { name: 'Custom' }).click();
  const end = await page.locator('#range-to').inputValue();
  const from = `${end.slice(0, 11)}00:00`;
  await page.locator('#range-from').fill(from);
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  const p = new URLSearchParams((await hash(page)).slice(1));
  assert.equal(new Date(Number(p.get('to')) * 1000).toISOString().slice(14, 16), end.slice(14, 16));
  await page.waitForSelector('.page:not(.loading) .readout b');
}, { hash: hostHash() }));

test('a drag zooms, a double click goes back', () => visit(async (page) => {
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
}, { hash: hostHash() }));

test('keys move, zoom and read the charts', () => visit(async (page) => {
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
}, { hash: hostHash() }));

test('one crosshair for all charts, with its values in their heads', () => visit(async (page, { shot }) => {
  await drawn(page);
  const still = await page.locator('.readout').first().innerText();
  const box = await plot(page);
  await page.mouse.move(box.x + box.width * 0.42, box.y + 50);
  await until(page, (text) => document.querySelector('.readout').innerText !== text, still);
  assert.equal(await page.locator('.cursor:visible').count(), await page.locator('.cursor').count());
  assert.match(await page.locator('.readout').nth(1).innerText(), /median [\d.–]+.*p25 to p75.*p5 to p95.*min to max/s);
  await shot('crosshair');
  await page.mouse.move(5, 5);
  await until(page, () => document.querySelector('.cursor').hidden);
}, { hash: hostHash() }));

test('latency is shown logarithmic or linear, the heat map as loss or latency', () => visit(async (page) => {
  await drawn(page);
  await page.getByRole('button', { name: 'Linear' }).click();
  assert.match(await hash(page), /scale=linear/);
  await page.waitForSelector('.heat');
  await page.getByRole('group', { name: 'Heat map of' }).getByRole('button', { name: 'Latency' }).click();
  await page.getByText(/ms\.$|stands out/).first().waitFor();
  assert.match(await hash(page), /heat=latency/);
}, { hash: hostHash() }));

test('a day of the strip leads to that day', () => visit(async (page) => {
  await drawn(page);
  const box = await page.locator('.navigator .bars').boundingBox();
  await page.mouse.click(box.x + box.width * 0.95, box.y + 10);
  await until(page, () => /from=/.test(location.hash));
  const p = new URLSearchParams((await hash(page)).slice(1));
  assert.equal(Number(p.get('to')) - Number(p.get('from')), 86400);
}, { hash: hostHash() }));

test('what is seen is saved as CSV and as PNG', () => visit(async (page) => {
  await drawn(page);
  const text = await download(page, 'CSV');
  const lines = text.bytes.toString().trim().split('\r\n');
  assert.match(lines[0], /^time,until,state,checks,sent,lost,success_rate/);
  assert.ok(lines.length > 20);
  assert.match(text.name, /\.csv$/);
  const picture = await download(page, 'PNG');
  assert.equal(picture.bytes.subarray(1, 4).toString(), 'PNG');
  assert.ok(picture.bytes.readUInt32BE(16) > 1000);
}, { hash: hostHash() }));

test('the overview and the outages are saved as CSV too', () => visit(async (page) => {
  await page.waitForSelector('.hosts tbody .strip');
  assert.equal((await download(page, 'CSV')).bytes.toString().trim().split('\r\n').length, list.length + 1);
  await page.getByRole('link', { name: 'Outages', exact: true }).click();
  await page.waitForSelector('.part table');
  assert.match((await download(page, 'CSV')).bytes.toString(), /^host_name,host_address,event_type,start_time/);
}));

test('outages are listed, by host and whether they are over, and lead to their charts', () => visit(async (page, { axe, shot }) => {
  await page.waitForSelector('.part table');
  const all = await page.locator('.part tbody tr').count();
  assert.ok(all > 0);
  await axe();
  await shot('outages-light');
  await page.getByLabel('Host', { exact: true }).selectOption(first.address);
  await until(page, (n) => document.querySelectorAll('.part tbody tr').length < n, all);
  await page.locator('.part tbody a').first().click();
  await drawn(page);
  assert.match(await hash(page), /host=.*from=\d+&to=\d+/);
}, { hash: '#page=outages' }));

test('several hosts are shown over each other', () => visit(async (page, { axe, shot }) => {
  await drawn(page);
  assert.equal(await page.locator('.choice[aria-pressed=true]').count(), 2);
  await page.locator('.choice[aria-pressed=false]').first().click();
  await until(page, () => document.querySelectorAll('.part tbody tr').length === 3);
  assert.equal((await hash(page)).match(/hosts=([^&]*)/)[1].split('%2C').length, 3);
  await axe();
  await shot('compare-light');
  const still = await page.locator('.readout').first().innerText();
  const box = await plot(page);
  await page.mouse.move(box.x + 300, box.y + 50);
  await until(page, (text) => document.querySelector('.readout').innerText !== text, still);
}, { get hash() { return `#page=compare&hosts=${encodeURIComponent(`${list[0].address},${list[1].address}`)}`; } }));

test('refreshing stops and goes on as wished', () => visit(async (page, { requests }) => {
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText(/^Paused at \d\d:\d\d$/).waitFor();
  const asked = requests.length;
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.locator('#link').getByText(/^Live|^Stopped/).waitFor();
  await until(page, () => performance.getEntriesByType('resource').some((e) => e.name.includes('latest')));
  assert.ok(requests.length >= asked);
}));

test('dark: the host’s page in the system’s colours', () => visit(async (page, { axe, shot }) => {
  await page.waitForSelector('.pings svg');
  await axe();
  await shot('host-dark');
}, { scheme: 'dark', hash: '#host=8.8.8.8', mock: createMock() }));

test('a phone shows the same without scrolling sideways', async () => {
  for (const [name, where] of [['phone-light', ''], ['phone-host', '#host=8.8.8.8'], ['phone-compare', '#page=compare&hosts=8.8.8.8,1.1.1.1'], ['phone-outages', '#page=outages']]) {
    await visit(async (page, { axe, shot }) => {
      await page.waitForSelector(where ? where.includes('outages') ? '.part table' : '.readout b' : '.hosts .strip');
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name}: ${wide} pixels too wide`);
      await axe();
      await shot(name);
    }, { size: 'phone', hash: where, mock: createMock() });
  }
});

test('a hundred hosts stay usable, rows out of sight are not drawn', () => visit(async (page, { axe, shot }) => {
  await page.waitForSelector('.hosts tbody .strip');
  assert.equal(await page.locator('.hosts tbody tr').count(), 100);
  assert.ok(await page.locator('.hosts tbody .strip').count() < 60);
  await page.locator('.hosts tbody tr').last().scrollIntoViewIfNeeded();
  await until(page, () => document.querySelector('.hosts tbody tr:last-child .strip'));
  await page.evaluate(() => scrollTo(0, 0));
  await axe();
  await shot('hundred-light');
}, { mock: createMock({ hosts: 100 }) }));

test('a new result is taken in without asking for the history again', async () => {
  const mock = createMock({ trouble: false });
  await visit(async (page, { requests }) => {
    await page.waitForSelector('.pings svg');
    const newest = await page.locator('.pings').first().locator('xpath=..').locator('td').first().innerText();
    const asked = requests.filter((url) => /series|ping-results\?/.test(url)).length;
    mock.extra += 60;
    await until(page, (text) => document.querySelector('.pings').parentElement.firstElementChild.innerText !== text, newest);
    assert.equal(requests.filter((url) => /series|ping-results\?/.test(url)).length, asked);
  }, { hash: '#host=8.8.8.8', mock });
});

test('what was missed while paused is asked for again', async () => {
  const mock = createMock({ trouble: false });
  await visit(async (page, { requests }) => {
    await page.waitForSelector('.pings svg');
    const series = () => requests.filter((url) => url.includes('/series')).length;
    const asked = series();
    await page.getByRole('button', { name: 'Pause' }).click();
    mock.extra += 1200;
    const [answer] = await Promise.all([page.waitForResponse(/series/), page.getByRole('button', { name: 'Pause' }).click()]);
    assert.equal(answer.status(), 200);
    assert.equal(series(), asked + 1);
  }, { hash: '#host=8.8.8.8', mock });
});

test('the first run says what is going on', () => visit(async (page, { axe, shot }) => {
  await page.getByRole('heading', { name: 'Waiting for the first results' }).waitFor();
  await page.getByText('under way, no result yet').waitFor();
  await page.getByText('Measuring for the first time').waitFor();
  await page.waitForSelector('.hosts .strip');
  await axe();
  await shot('empty-light');
}, { mock: createMock({ hosts: 3, scenario: 'first-run' }) }));

test('a first run fills by itself', async () => {
  const mock = createMock({ hosts: 3, scenario: 'first-run' });
  await visit(async (page) => {
    await page.getByRole('heading', { name: 'Waiting for the first results' }).waitFor();
    mock.scenario = 'running';
    await page.getByRole('heading', { name: /^The line is well/ }).waitFor();
  }, { mock });
});

test('a stopped monitor is said in red with the age of the last result', async () => {
  for (const [scenario, words] of [['killed', /without a clean stop/], ['stopped', /stopped cleanly/]]) {
    await visit(async (page, { axe, shot }) => {
      await page.locator('.banner').getByText('The monitor has stopped. Nothing is measured.').waitFor();
      assert.match(await page.locator('.banner').innerText(), words);
      assert.match(await page.locator('.banner').innerText(), /2 h 14 min/);
      await page.getByRole('heading', { name: 'The line is not measured' }).waitFor();
      assert.match(await page.locator('.hosts .c-state').nth(1).innerText(), /was up/);
      await page.waitForSelector('.hosts .strip');
      await axe();
      await shot(`${scenario}-light`);
    }, { mock: createMock({ hosts: 3, scenario }) });
  }
});

test('a lost server is said, the data stays, and it recovers by itself', async () => {
  const mock = createMock();
  await visit(async (page, { axe, shot }) => {
    await page.waitForSelector('.hosts .strip');
    mock.scenario = 'lost';
    await page.getByText(/^Server not reached, trying again in \d+ s$/).waitFor();
    assert.equal(await page.locator('.hosts tbody tr').count(), 13);
    await axe();
    await shot('lost-light');
    mock.scenario = 'running';
    await page.getByText(/^Live, last check/).waitFor();
  }, { mock, faults: /Failed to load resource/ });
});

test('a range without data keeps its axes and says so', () => visit(async (page, { axe, shot }) => {
  await page.getByText('Not measured in this range').waitFor();
  await page.getByText('No check in this range.').waitFor();
  await axe();
  await shot('no-data-light');
}, { hash: '#host=8.8.8.8&from=1600000000&to=1600086400', mock: createMock() }));

test('a host that the server does not know is said so', () => visit(async (page) => {
  await page.getByText(/The server refused/).waitFor();
}, { hash: '#host=192.0.2.1', mock: createMock(), faults: /404/ }));

test('the first load is small over the wire', () => visit(async (page) => {
  await page.waitForSelector('.hosts tbody .strip');
  const bytes = await page.evaluate(() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((sum, e) => sum + e.transferSize, 0));
  assert.ok(bytes < 60000, `${bytes} bytes`);
}));
