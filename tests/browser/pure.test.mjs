// The parts of the page that need no browser: node pure.test.mjs
process.env.TZ = 'Europe/Berlin';
const assert = (await import('node:assert/strict')).default;
const { after, test } = await import('node:test');
const { cp, mkdtemp, readdir, readFile, rm, writeFile } = await import('node:fs/promises');
const { tmpdir } = await import('node:os');
const { join } = await import('node:path');
const { pathToFileURL } = await import('node:url');
// Node 18 takes a .js file for a module only if a package.json in its folder says so.
const copy = await mkdtemp(join(tmpdir(), 'page-modules-'));
await cp(new URL('../../static/js/', import.meta.url), copy, { recursive: true });
await writeFile(join(copy, 'package.json'), '{"type":"module"}');
after(() => rm(copy, { recursive: true }));
const js = (name) => import(pathToFileURL(join(copy, `${name}.js`)).href);
const time = await js('data/time');
const scale = await js('data/scale');
const format = await js('data/format');
const view = await js('data/view');
const series = await js('data/series');
const week = await js('data/week');
const days = await js('data/days');
const daytext = await js('data/daytext');
const hosts = await js('data/hosts');
const verdict = await js('data/verdict');
const cause = await js('data/cause');
const details = await js('parts/outagedetails');
const queries = await js('data/queries');
const notices = await js('parts/notices');
const first = await js('first');
const theme = await js('theme');
const addhost = await js('parts/addhost');
const api = await js('data/api');
const outages = await js('data/outages');
const live = await js('data/live');
const shapes = await js('charts/shapes');

const at = (text) => Date.parse(text) / 1000;
const NOW = at('2026-11-23T14:35:00+01:00');

test('a duration has at most two units', () => {
  assert.deepEqual([0, 45, 60, 852, 3600, 8040, 90000, 172800].map(time.duration), [
    '0 s',
    '45 s',
    '1 min',
    '14 min 12 s',
    '1 h',
    '2 h 14 min',
    '1 d 1 h',
    '2 d',
  ]);
});

test('a time has no more of the date than needed', () => {
  assert.equal(time.moment(at('2026-11-23T00:00:00+01:00'), NOW), '00:00');
  assert.equal(time.moment(at('2026-11-22T23:24:00+01:00'), NOW), 'yesterday 23:24');
  assert.equal(time.moment(at('2026-11-01T06:02:00+01:00'), NOW), 'Sun 1 Nov, 06:02');
  assert.equal(time.moment(at('2025-12-31T12:00:00+01:00'), NOW), 'Wed 31 Dec 2025, 12:00');
});

test('the time zone is named with its offset at that time', () => {
  assert.equal(time.zoneText(NOW), 'Times in Europe/Berlin (UTC+1)');
  assert.equal(time.zoneText(at('2026-07-01T00:00:00Z')), 'Times in Europe/Berlin (UTC+2)');
  assert.equal(time.offsetMinutes(NOW), 60);
});

test('ticks of a day are round local hours, and midnight is strong', () => {
  const ticks = time.timeTicks(NOW - 86400, NOW, 8);
  assert.deepEqual(
    ticks.map((t) => t.text),
    ['15:00', '18:00', '21:00', 'Mon 23 Nov', '03:00', '06:00', '09:00', '12:00'],
  );
  assert.deepEqual(ticks.filter((t) => t.strong).length, 1);
});

test('ticks stay round in the night in which the clocks go back', () => {
  const ticks = time.timeTicks(at('2026-10-24T12:00:00+02:00'), at('2026-10-26T12:00:00+01:00'), 10);
  const midnights = ticks.filter((t) => t.strong).map((t) => t.text);
  assert.deepEqual(midnights, ['Sun 25 Oct', 'Mon 26 Oct']);
  assert.ok(ticks.every((t, i) => !i || t.t > ticks[i - 1].t));
});

test('every range has between 2 and 26 ticks, all inside it', () => {
  for (const length of [60, 300, 3600, 21600, 86400, 7 * 86400, 30 * 86400, 90 * 86400, 365 * 86400, 5 * 365 * 86400]) {
    const ticks = time.timeTicks(NOW - length, NOW, 8);
    assert.ok(ticks.length >= 2 && ticks.length <= 26, `${length}: ${ticks.length}`);
    assert.ok(ticks.every((t) => t.t >= NOW - length && t.t <= NOW + 1));
  }
});

test('a day begins at local midnight, also if it has 25 hours', () => {
  const start = time.startOfDay(at('2026-10-25T12:00:00+01:00'));
  assert.equal(time.startOfDay(start, 1) - start, 25 * 3600);
});

test('the three lanes have the same height and meet at the thresholds', () => {
  assert.deepEqual(
    [0, 80, 95, 100].map((r) => Math.round(scale.lane(r) * 3 * 1e9) / 1e9),
    [0, 1, 2, 3],
  );
  for (let r = 1; r <= 100; r += 1) assert.ok(scale.lane(r) > scale.lane(r - 1));
  assert.deepEqual([100, 95, 94.9, 80, 79.9, 0.1, 0].map(scale.stateOf), [
    'up',
    'up',
    'degraded',
    'degraded',
    'poor',
    'poor',
    'down',
  ]);
});

test('scales map both ends exactly and accept an empty domain', () => {
  assert.equal(scale.linear(0, 10, 100, 0)(5), 50);
  assert.ok(Math.abs(scale.logarithmic(1, 100, 0, 2)(10) - 1) < 1e-9);
  assert.equal(scale.logarithmic(1, 100, 0, 2)(0), 0);
  assert.ok(Number.isFinite(scale.linear(3, 3, 0, 1)(3)));
});

test('axis ticks are round numbers and not too many', () => {
  assert.deepEqual(scale.evenTicks(0, 100, 5), [0, 20, 40, 60, 80, 100]);
  assert.deepEqual(scale.logTicks(3, 120, 8), [5, 10, 20, 50, 100]);
  assert.ok(scale.logTicks(0.01, 10000, 7).length <= 7);
  assert.ok(scale.logTicks(11, 12, 7).length <= 7);
});

test('the latency axis spans at least a factor of four', () => {
  const [low, high] = scale.latencyDomain([[10000, 10100]], true);
  assert.ok(high / low >= 4);
  assert.deepEqual(scale.latencyDomain([[null]], true), [1, 100]);
});

test('less than 100 % is never rounded up to 100 %', () => {
  assert.equal(format.percent(99.9999), '99.99');
  assert.equal(format.percent(100), '100.00');
  assert.equal(format.rate(86.6667), '86.67');
  assert.equal(format.rate(100), '100');
  assert.equal(format.percent(null), '–');
  const interval = (sent, ends) => week.lossInterval({ sent, loss_interval_percent: ends });
  assert.equal(interval(20, [0, 16.113]), ', 0.00–16.11 %');
  assert.equal(interval(9999, [1.5, 100]), ', 1.50–100.00 %');
  assert.deepEqual([interval(10000, [0, 0.04]), interval(0, null), interval(5, undefined)], ['', '', '']);
});

test('latencies have two or three significant digits', () => {
  assert.deepEqual([0.42, 0.9999, 9.61, 41.72, 208.4, null].map(format.ms), ['0.42', '1.0', '9.6', '41.7', '208', '–']);
});

test('CSV is quoted and contains no formula', () => {
  assert.equal(
    format.csv(
      ['a', 'b'],
      [
        ['x,"y"', null],
        ['=1+1', -2.5],
      ],
    ),
    '\ufeffa,b\r\n"x,""y""",\r\n\'=1+1,-2.5\r\n',
  );
});

test('a name of a file keeps the letters of every script', () => {
  assert.deepEqual(
    ['Büro 2', 'Сервер/1', '東京 (ルーター)', 'หน่วย', '../x', '?'].map(format.fileName),
    ['Büro-2', 'Сервер-1', '東京-ルーター-', 'หน่วย', 'x', 'host'],
  );
});

test('comparing offers every host: the chosen ones, the first that match, and how many more do', () => {
  const list = Array.from({ length: 100 }, (_, i) => ({ name: `Sensor ${i}`, address: `10.0.0.${i}` }));
  for (const [query, chosen, max, shown, left] of [
    ['', [], 3, ['Sensor 0', 'Sensor 1', 'Sensor 2'], 97],
    ['', ['10.0.0.77'], 3, ['Sensor 0', 'Sensor 1', 'Sensor 77'], 97],
    ['SENSOR .98', [], 3, ['Sensor 98'], 0],
    ['98 sensor', ['10.0.0.5'], 3, ['Sensor 5', 'Sensor 98'], 0],
    ['nothing', [], 3, [], 0],
  ]) {
    const found = hosts.choicesOf(list, query, chosen, max);
    assert.deepEqual([found.shown.map((e) => e.name), found.left], [shown, left], query);
  }
});

test('the lines that add a host are YAML, whatever the name', () => {
  for (const [name, address, lines] of [
    ['NAS', '192.168.1.20', '  - name: NAS\n    address: 192.168.1.20'],
    ['Büro: 2', 'fe80::1%eth0', '  - name: "Büro: 2"\n    address: "fe80::1%eth0"'],
    ['yes', 'gateway', '  - name: "yes"\n    address: gateway'],
    ['', ' nas.example ', '  - name: Name\n    address: nas.example'],
  ])
    assert.equal(addhost.hostLines(name, address), lines);
  assert.deepEqual(['/etc/a.yaml', "/home/it's/a b"].map(addhost.shellText), ['/etc/a.yaml', "'/home/it'\\''s/a b'"]);
});

test('the chosen colours apply on a screen, unless the system forces its own', () => {
  const system = 'screen and (prefers-color-scheme: dark)';
  for (const [chosen, media] of [
    ['system', system],
    ['dark', `screen and (forced-colors: none), ${system}`],
    ['light', `${system} and (forced-colors: active)`],
  ])
    assert.equal(theme.darkMedia(chosen), media);
});

test('many names are cut to three and a count', () => {
  assert.equal(format.joinNames(['a', 'b', 'c']), 'a, b and c');
  assert.equal(format.joinNames(['a', 'b', 'c', 'd', 'e']), 'a, b, c and 2 more');
});

test('a view written to the URL is read back unchanged', () => {
  const plain = view.readView('');
  for (const change of [
    {},
    { page: 'host', host: '2606:4700::1111', range: '7d', scale: 'linear', heat: 'latency' },
    { page: 'host', host: '8.8.8.8', range: 'custom', from: 1000000, to: 1003600 },
    { page: 'compare', hosts: ['8.8.8.8', '1.1.1.1'], range: 'all' },
    { page: 'outages', host: '8.8.8.8', active: true },
    { page: 'outages', cause: 'provider' },
    { wall: true, sort: 'name' },
    { state: 'down', query: 'a b&c=d', sort: '-name' },
  ])
    assert.deepEqual(view.readView(view.writeView({ ...plain, ...change })), { ...plain, ...change });
});

test('a named range begins with the record at the earliest', () => {
  const of = (range, first) => NOW - view.spanOf({ ...view.readView(''), range }, NOW, first).from;
  const day = 86400;
  for (const [range, recorded, expected] of [
    ['24h', 90 * day, day],
    ['24h', 1380, 1380],
    ['90d', 1380, 1380],
    ['1h', 1380, 1380],
    ['all', 1380, 1380],
    ['all', 400 * day, 400 * day],
    ['24h', 10, 60],
    ['24h', NaN, day],
    ['all', NaN, day],
  ])
    assert.equal(of(range, NOW - recorded), expected, `${range}, ${recorded} s`);
  const custom = { ...view.readView(''), range: 'custom', from: NOW - 2 * day, to: NOW };
  assert.equal(view.spanOf(custom, NOW, NOW - day).from, NOW - 2 * day);
});

test('nonsense in the URL gives the default view', () => {
  assert.deepEqual(view.readView('#range=9z&from=x&to=-3&scale=%%%&page=nope'), view.readView(''));
  assert.equal(view.readView('#host=a&from=100&to=110').range, '24h');
});

test('zooming keeps an end that is now, and panning stops at now', () => {
  assert.deepEqual(view.zoomed({ from: NOW - 3600, to: NOW }, 0.5, NOW), { from: NOW - 1800, to: NOW });
  assert.deepEqual(view.panned({ from: NOW - 3600, to: NOW - 100 }, 1, NOW), { from: NOW - 3500, to: NOW });
  assert.equal(view.rangeOf({ from: NOW - 86400, to: NOW }, NOW).range, '24h');
  assert.equal(view.rangeOf({ from: NOW - 90000, to: NOW - 3600 }, NOW).range, 'custom');
});

/** Columns with one check per minute; null where there was none. */
function minutes(states, from = NOW - 600) {
  const keys = [
    'checks',
    'sent',
    'lost',
    'success_rate',
    'worst_rate',
    'min_us',
    'p5_us',
    'p25_us',
    'p50_us',
    'p75_us',
    'p95_us',
    'max_us',
    'avg_us',
    'not_measured',
  ];
  const columns = { t: states.map((_, i) => from + i * 60), state: states, interval: states.map(() => 60) };
  const value = { checks: 1, sent: 5, lost: 0, success_rate: 100, worst_rate: 100, not_measured: 0 };
  for (const key of keys)
    columns[key] = states.map((s) =>
      s === null
        ? null
        : s === 'down'
          ? ({ ...value, lost: 5, success_rate: 0, worst_rate: 0 }[key] ?? null)
          : (value[key] ?? 10000),
    );
  return { from, to: from + states.length * 60, bucket_seconds: 60, columns };
}
const freshRow = (t, more = {}) => ({
  timestamp: new Date(t * 1000).toISOString(),
  state: 'up',
  success_rate: 100,
  success_count: 5,
  failure_count: 0,
  sent: 5,
  min_latency: 9,
  max_latency: 12,
  avg_latency: 10,
  rtts_us: [9000, 10000, 12000, 10000, 9500],
  ...more,
});

const iso = (t) => new Date(t * 1000).toISOString();
/** An outage of one host. */
const outageOf = (from, to, more = {}) => ({
  id: 1,
  host_name: 'A',
  host_address: '192.0.2.1',
  event_type: 'outage',
  start_time: iso(from),
  end_time: to ? iso(to) : null,
  duration_seconds: to ? to - from : null,
  cause: 'provider',
  planned: false,
  notes: null,
  facts: null,
  path: null,
  down_seconds: (to || NOW) - from,
  event_ids: [1],
  ...more,
});

test('each check stands for the interval that it was made at', () => {
  // Every minute, then every ten seconds, then by hand.
  const data = minutes(['up', 'up', 'up', 'up', 'up', 'up', 'up', 'up']);
  data.columns.t = [0, 60, 120, 130, 140, 150, 450, 750].map((t) => NOW - 900 + t);
  data.columns.interval = [60, 60, 10, 10, 10, 10, 5, 5];
  const t = series.timelineOf({ ...data, from: NOW - 900, to: NOW, bucket_seconds: 1 }, 10);
  assert.deepEqual(
    series.stateSpans(t).map((s) => [s.state, s.from - NOW + 900, s.to - NOW + 900]),
    [
      ['up', 0, 160],
      ['not_measured', 160, 450],
      ['up', 450, 455],
      ['not_measured', 455, 750],
      ['up', 750, 755],
      ['not_measured', 755, 900],
    ],
  );
});

test('a gap is not measured, and no line crosses it', () => {
  const t = series.timelineOf(minutes(['up', 'up', null, null, null, null, 'up', 'up']), 60);
  assert.deepEqual(
    series.stateSpans(t).map((s) => [s.state, s.to - s.from]),
    [
      ['up', 120],
      ['not_measured', 240],
      ['up', 120],
    ],
  );
  assert.deepEqual(
    series.segments(t).map((r) => r.length),
    [2, 2],
  );
});

test('before the record begins nothing is missing', () => {
  const data = minutes([null, null, null, null, 'up', 'up', null, null, null, null]);
  const first = data.from + 240;
  const spans = (t) => series.stateSpans(t).map((s) => [s.state, s.from - t.from, s.to - t.from]);
  assert.deepEqual(spans(series.timelineOf(data, 60)), [
    ['not_measured', 0, 240],
    ['up', 240, 360],
    ['not_measured', 360, 600],
  ]);
  const known = series.timelineOf(data, 60, 0, first);
  assert.deepEqual(spans(known), [
    ['up', 240, 360],
    ['not_measured', 360, 600],
  ]);
  const stopped = { from: iso(data.from), to: iso(first), reason: 'the monitor did not run' };
  assert.equal(series.bands(known, [], [stopped]).filter((b) => b.from < first).length, 0);
  assert.equal(series.noDataText(known, NOW), 'Not measured in this range');
  assert.equal(
    series.noDataText({ ...known, to: first }, NOW),
    `The record begins later: ${time.moment(first, NOW)}`,
  );
  assert.equal(
    series.noDataText({ ...known, from: NOW - 9e7, to: NOW - 8e7 }, NOW),
    `The record begins later: ${time.day(first, NOW)} ${time.year(first)}`,
  );
});

test('in the future nothing is missing, and an ongoing outage ends now', () => {
  const data = minutes(['up', 'down', null, null, null, null, null, null, null, null]);
  const now = data.from + 300;
  const t = series.timelineOf(data, 60, 0, 0, now);
  assert.deepEqual(
    series.stateSpans(t).map((s) => [s.state, s.from - t.from, s.to - t.from]),
    [
      ['up', 0, 60],
      ['down', 60, 120],
      ['not_measured', 120, 300],
    ],
  );
  const within = series.timelineOf(data, 60, 0, 0, data.from + 90);
  assert.deepEqual(
    series.stateSpans(within).map((s) => s.to - within.from),
    [60, 90],
  );
  const outage = { ...outageOf(data.from + 60, NOW), end_time: null, duration_seconds: null };
  const gap = { from: iso(data.from + 120), to: iso(data.to), reason: 'the monitor did not run' };
  assert.ok(series.bands(t, [outage], [gap]).every((band) => band.to <= now));
  assert.equal(series.noDataText({ ...t, from: now + 60 }, now), 'This time is in the future');
});

test('an outage interrupts the latency line', () => {
  const t = series.timelineOf(minutes(['up', 'down', 'down', 'up']), 60);
  assert.deepEqual(
    series.segments(t).map((r) => r.length),
    [1, 1],
  );
  assert.deepEqual(
    series.stateSpans(t).map((s) => s.state),
    ['up', 'down', 'up'],
  );
});

test('empty buckets between the checks of a host with a long interval are not gaps', () => {
  const data = minutes(['up', null, null, null, null, 'up', null, null, null, null, 'up']);
  data.columns.interval.fill(300);
  const t = series.timelineOf(data, 300);
  assert.deepEqual(
    series.stateSpans(t).map((s) => s.state),
    ['up'],
  );
});

test('a range without any check is one span that was not measured', () => {
  const t = series.timelineOf(minutes([null, null, null]), 60);
  assert.deepEqual(
    series.stateSpans(t).map((s) => [s.state, s.to - s.from]),
    [['not_measured', 180]],
  );
  assert.equal(series.nearestPoint(t.points, NOW), -1);
});

test('the time of a running check is not a gap yet', () => {
  const s = minutes(['up', 'up', 'up']);
  const t = series.timelineOf({ ...s, to: s.to + 60 }, 60);
  assert.ok(series.stateSpans(t).every((x) => x.state === 'up'));
});

test('a new check is added once, and the window moves', () => {
  const t = series.timelineOf(minutes(['up', 'up', 'up']), 60);
  const next = NOW - 600 + 180;
  assert.equal(series.addCheck(t, freshRow(next), next), true);
  assert.equal(series.addCheck(t, freshRow(next), next), false);
  assert.equal(t.points.length, 4);
  assert.equal(t.points[3].p50, 10000);
  series.moveWindow(t, NOW - 600 + 60, NOW - 600 + 240);
  assert.equal(t.points[0].at, NOW - 540);
});

test('missing checks are noticed', () => {
  const t = series.timelineOf(minutes(['up', 'up']), 60);
  assert.equal(series.missedChecks(t, t.newestAt + 61, 60), false);
  assert.equal(series.missedChecks(t, t.newestAt + 180, 60), true);
});

test('a new check in a long bucket is counted, and the worst state wins', () => {
  const s = minutes(['up', 'up']);
  s.bucket_seconds = 3600;
  s.columns.t = [NOW - 5400, NOW - 1800];
  const t = series.timelineOf(s, 60);
  series.addCheck(
    t,
    freshRow(NOW, {
      state: 'down',
      success_rate: 0,
      success_count: 0,
      failure_count: 5,
      min_latency: null,
      avg_latency: null,
      max_latency: null,
      rtts_us: [null, null, null, null, null],
    }),
    NOW,
  );
  assert.equal(t.points.length, 2);
  const last = t.points[1];
  assert.deepEqual([last.state, last.checks, last.lost, last.worst, last.rate, last.p50], ['down', 2, 5, 0, 50, 10000]);
});

test('an outage is shown from its own start to its own end, however long a bucket is', () => {
  const s = minutes(['up', 'down', 'up']);
  s.bucket_seconds = 3600;
  s.columns.t = [NOW - 10800, NOW - 7200, NOW - 3600];
  const t = series.timelineOf({ ...s, from: NOW - 10800, to: NOW }, 60);
  const outage = outageOf(NOW - 7000, NOW - 6400);
  const shown = series.bands(t, [outage]);
  assert.deepEqual(
    shown.map((b) => [b.state, b.to - b.from]),
    [['down', 600]],
  );
  assert.equal(series.bandLabel(shown[0], 10800), 'Outage, provider, 10 min');
  assert.deepEqual(
    series.outagesWithin([outage, { ...outage, planned: true }, { ...outage, event_type: 'dns' }], NOW - 6500, NOW),
    { count: 1, seconds: 100 },
  );
});

test('loss has bands beside outages, not for the silence of an outage', () => {
  const t = series.timelineOf(minutes(['up', 'poor', 'poor', 'down', 'poor', 'up']), 60);
  const [, first, , silent, last] = t.points;
  const outage = outageOf(silent.at - 20, last.at + 10);
  assert.deepEqual(
    series.bands(t, [outage]).map((b) => [b.state, b.from - first.at, b.to - b.from]),
    [
      ['poor', 0, 100],
      ['poor', 190, 50],
      ['down', 100, 90],
    ],
  );
  // A bucket of hours: half of its checks were silent, so its rate says nothing about loss.
  const long = minutes(['up', 'down', 'poor']);
  long.bucket_seconds = 3600;
  long.columns.t = [NOW - 10800, NOW - 7200, NOW - 3600];
  long.columns.checks = [60, 60, 60];
  long.columns.success_rate = [100, 50, 50];
  const hours = series.timelineOf({ ...long, from: NOW - 10800, to: NOW }, 60);
  assert.deepEqual(
    series.bands(hours, [outageOf(NOW - 7000, NOW - 5200)]).map((b) => [b.state, b.to - b.from]),
    [
      ['poor', 3600],
      ['down', 1800],
    ],
  );
});

test('a recorded gap has its own ends and its reason, next to gaps without a record', () => {
  const t = series.timelineOf(minutes(['up', ...Array(30).fill(null), 'up', 'up']), 60);
  const from = t.points[0].end;
  const gap = { from: iso(from + 600), to: iso(from + 1200), reason: 'this machine was asleep' };
  const shown = series.bands(t, [], [gap]).sort((a, b) => a.from - b.from);
  assert.deepEqual(
    shown.map((b) => [b.state, b.to - b.from]),
    [
      ['not_measured', 600],
      ['not_measured', 600],
      ['not_measured', 600],
    ],
  );
  assert.equal(series.bandLabel(shown[1], 3600), 'Not measured, 10 min: this machine was asleep');
  assert.equal(series.bandLabel(shown[0], 3600), 'Not measured, 10 min');
});

test('a link that was down for one IP version is no gap of a host that was measured', () => {
  const t = series.timelineOf(minutes(['up', 'up', 'up', 'up']), 60);
  const gap = { from: iso(t.from + 60), to: iso(t.from + 180), reason: 'nothing could be sent: no route' };
  assert.deepEqual(series.bands(t, [], [gap]), []);
  t.points[1].blocked = 1;
  assert.equal(series.bands(t, [], [gap]).length, 1);
});

test('a gap of one host is drawn at this host only', () => {
  const all = { from: '', to: '', reason: 'stopped' };
  const own = { ...all, host_name: 'far', host_address: '192.0.2.1' };
  assert.deepEqual(series.gapsOf([all, own], '192.0.2.1'), [all, own]);
  assert.deepEqual(series.gapsOf([all, own], '192.0.2.1 via wg0'), [all, own]);
  assert.deepEqual(series.gapsOf([all, own], '192.0.2.11'), [all]);
});

test('compared hosts share the band of an incident, and a gap only if all have it', () => {
  const tracks = [
    series.timelineOf(minutes(['up', 'up', 'up', 'up']), 60),
    series.timelineOf(minutes(['up', 'up', 'up', 'up']), 60),
  ];
  const span = { start_time: iso(tracks[0].from + 60), end_time: iso(tracks[0].from + 120) };
  const [band] = series.commonBands(tracks, [{ ...span, cause: 'provider', hosts: 9 }], []);
  assert.equal(series.bandLabel(band, 240), 'Provider outage, 9 hosts, 1 min');
  const gap = { from: span.start_time, to: span.end_time, reason: 'nothing could be sent: no route' };
  tracks[0].points[1].blocked = 1;
  assert.deepEqual(series.commonBands(tracks, [], [gap]), []);
  tracks[1].points[1].blocked = 1;
  assert.equal(series.commonBands(tracks, [], [gap]).length, 1);
});

test('a note from the command line is drawn with its outage, also a planned one', () => {
  const t = series.timelineOf(minutes(['up', 'down', 'down', 'up']), 60);
  const outage = outageOf(t.points[1].at, t.points[3].at);
  for (const [more, label] of [
    [{ notes: 'the router was replaced\nticket 7' }, 'Outage, provider, 2 min: the router was replaced'],
    [{ notes: 'new cable', planned: true }, 'Planned, provider, 2 min: new cable'],
    [{ notes: 'x'.repeat(80) }, `Outage, provider, 2 min: ${'x'.repeat(59)}…`],
    [{ notes: null }, 'Outage, provider, 2 min'],
  ])
    assert.equal(series.bandLabel(series.bands(t, [{ ...outage, ...more }]).at(-1), 600), label);
});

test('where the clock changes within a chart, its times have their offset', () => {
  const change = at('2026-10-25T01:00:00Z');
  const dayOf = { from: change - 43200, to: change + 43200 };
  assert.deepEqual(time.clockChanges(dayOf), [change]);
  assert.deepEqual(time.clockChanges({ from: change - 43200, to: change - 60 }), []);
  assert.deepEqual(time.clockChanges({ from: change - 300 * 86400, to: change + 86400 }), [
    change,
    at('2026-03-29T01:00:00Z'),
  ]);
  for (const [from, length, range, text] of [
    [change - 1800, 600, dayOf, 'Sun 02:30 to 02:40 UTC+2'],
    [change + 1800, 600, dayOf, 'Sun 02:30 to 02:40 UTC+1'],
    [change - 300, 600, dayOf, 'Sun 02:55 UTC+2 to 02:05 UTC+1'],
    [change + 1800, 5, dayOf, 'Sun 02:30:00 UTC+1'],
    [change + 86400, 600, { from: change + 43200, to: change + 90000 }, 'Mon 02:00 to 02:10'],
    [change + 86400, 600, { from: change - 5 * 86400, to: change + 90000 }, 'Mon 26 Oct 02:00 to 02:10 UTC+1'],
    [change - 7200, 86400, dayOf, 'Sun 25 Oct to Mon 26 Oct'],
  ])
    assert.equal(time.spanText(from, length, range), text);
});

test('the nearest point is found on both sides of a gap', () => {
  const t = series.timelineOf(minutes(['up', null, null, null, null, null, 'up']), 60);
  assert.equal(series.nearestPoint(t.points, NOW - 600 + 100), 0);
  assert.equal(series.nearestPoint(t.points, NOW - 600 + 350), 1);
});

test('hours are binned in local time, and the summary names the worst ones', () => {
  const columns = { t: [], checks: [], sent: [], lost: [], lost_while_down: [], p50_us: [] };
  for (let t = NOW - 28 * 86400; t < NOW; t += 3600) {
    const hour = new Date(t * 1000).getHours();
    columns.t.push(t);
    columns.sent.push(300);
    // At 4 o'clock there is an outage of 12 minutes, which is no loss.
    columns.lost.push(hour >= 19 && hour < 22 ? 9 : hour === 4 ? 60 : 0);
    columns.lost_while_down.push(hour === 4 ? 60 : 0);
    columns.p50_us.push(10000);
  }
  const bins = week.binByWeekHour(columns);
  assert.equal(week.valueOf([bins[2][20]], 'lost'), 3);
  assert.equal(week.valueOf([bins[2][4]], 'lost'), 0);
  assert.ok(bins[2][4].silent > 0);
  assert.equal(week.colourStep(3, 'lost', null), 4);
  assert.equal(week.colourStep(null, 'lost', null), -1);
  assert.equal(
    week.summary(bins, 'lost', '28 days'),
    "28 days: worst from 19 to 22 o'clock, 3.00 % lost, otherwise 0.00 % lost.",
  );
  assert.match(week.summary(bins, 'latency', '28 days'), /no hour or weekday stands out/);
  assert.match(week.summary(week.binByWeekHour({ ...columns, t: [] }), 'lost', '28 days'), /Nothing measured/);
});

test('a worse day has a taller bar, and four hours of outage fill it', () => {
  const heights = [
    days.barHeight('up', 0),
    days.barHeight('degraded', 0),
    days.barHeight('poor', 0),
    days.barHeight('down', 60),
    days.barHeight('down', 3600),
    days.barHeight('down', 4 * 3600),
  ];
  assert.ok(heights.every((x, i) => !i || x > heights[i - 1]));
  assert.equal(heights[5], 1);
  assert.equal(days.barHeight('down', 1e6), 1);
});

const DAY = 86400;
/** Each day as seconds in outages, poor, degraded, and measured. */
const daysOf = (...list) => ({
  state: list.map((d) =>
    d === null ? null : d[3] ? (d[0] ? 'down' : d[1] ? 'poor' : d[2] ? 'degraded' : 'up') : 'not_measured',
  ),
  down_seconds: list.map((d) => d?.[0] ?? 0),
  poor_percent: list.map((d) => (d ? Math.floor((100 * (d[0] + d[1])) / Math.max(1, d[3])) : 0)),
  not_up_percent: list.map((d) => (d ? Math.floor((100 * (d[0] + d[1] + d[2])) / Math.max(1, d[3])) : 0)),
  measured_seconds: list.map((d) => d?.[3] ?? 0),
});
const QUIET = [0, 0, 0, DAY];

test('a day is down with an outage, poor or degraded from 1 % on, and up with a lost ping', () => {
  const kinds = (...list) => days.dayBars(daysOf(...list)).kinds;
  assert.deepEqual(kinds(QUIET, [60, 0, 0, DAY], [0, 60, 600, DAY], [0, 300, 600, DAY], [0, 900, 0, DAY], QUIET), [
    'up',
    'down',
    'up',
    'degraded',
    'poor',
    'up',
  ]);
  assert.deepEqual(days.dayBars(daysOf([60, 0, 0, DAY], QUIET)).down, [60, 0]);
});

test('a day measured by less than half is not measured, except the first day and today', () => {
  const kinds = (...list) => days.dayBars(daysOf(...list)).kinds;
  const part = [0, 0, 0, DAY / 3];
  assert.deepEqual(kinds(null, part, QUIET, part, null, [0, 0, 0, 0], part), [
    'none',
    'up',
    'up',
    'not_measured',
    'not_measured',
    'not_measured',
    'up',
  ]);
  assert.deepEqual(kinds(null, null), ['none', 'none']);
  assert.deepEqual(kinds(QUIET, null), ['up', 'none']);
});

test('the outage of one host alone does not count for the line', () => {
  const out = [600, 0, 0, DAY];
  const all = [
    daysOf(QUIET, out, QUIET, null),
    daysOf(QUIET, out, QUIET, null),
    daysOf(out, out, [0, 0, 0, 0], QUIET),
  ].map(days.dayBars);
  const most = days.mostHosts(all, 4);
  assert.deepEqual(most.kinds, ['up', 'down', 'up', 'up']);
  assert.equal(most.down[1], 600);
  assert.equal(days.daysText(all[0]), '2 days up, 1 with an outage, 1 not recorded');
});

test('a day is told in words, with its cause and how much was measured', () => {
  const bars = {
    kinds: ['none', 'up', 'down', 'not_measured', 'degraded', 'up', 'none'],
    down: [0, 0, 723, 0, 0, 0, 0],
  };
  const measured = [0, DAY / 4, DAY, DAY / 4, DAY, DAY - 864, 0];
  const texts = bars.kinds.map((_, i) =>
    daytext.dayText('2026-11-17', bars, i, { measured, letter: { 2: 'P', 5: 'G' }[i] ?? null }),
  );
  assert.deepEqual(texts, [
    'Tue 17 Nov: before the first record',
    'Wed 18 Nov: up',
    'Thu 19 Nov: down for 12 min 3 s, cause provider',
    'Fri 20 Nov: mostly not measured, 25.00 % measured',
    'Sat 21 Nov: degraded',
    'Sun 22 Nov: up, some hosts down, cause gateway, 99.00 % measured',
    'Today: nothing recorded yet',
  ]);
  // A day of 25 hours.
  const hour = { kinds: ['up', 'up', 'up'], down: [0, 0, 0] };
  assert.equal(daytext.dayText('2026-10-24', hour, 1, { measured: [DAY, 90000, 0] }), 'Sun 25 Oct: up');
  assert.equal(daytext.dayText('2026-10-24', hour, 1, {}), 'Sun 25 Oct: up');
  const range = daytext.dayRange('2026-10-24', 1, NOW);
  assert.equal(range.to - range.from, 90000);
  assert.equal(daytext.dayRange('2026-11-23', 0, NOW).to, NOW);
});

test('availability is the share of the measured time without an outage, whatever was lost', () => {
  const two = daysOf([600, 300, 0, DAY], [0, 0, 0, DAY / 2]);
  assert.ok(Math.abs(days.availability(days.lastDays(two, 2)) - (100 - (100 * 600) / (1.5 * DAY))) < 1e-9);
  assert.equal(days.availability(days.lastDays(two, 1)), 100);
  assert.equal(days.availability([]), null);
});

const HOSTS = [
  { name: 'Google DNS', address: '8.8.8.8', interval_seconds: 60 },
  { name: 'Gateway', address: 'gateway', interval_seconds: 60, role: 'gateway' },
  { name: 'Quad9', address: '9.9.9.9', interval_seconds: 60 },
];
const STATUS = {
  hosts: HOSTS,
  monitoring_interval: 60,
  monitor: { running: true },
  first_check: '2026-08-25T00:00:00Z',
};
const rowOf = (i, more) => ({
  ...freshRow(NOW - 30),
  host_name: HOSTS[i].name,
  host_address: HOSTS[i].address,
  error: null,
  stale: false,
  ...more,
});

test('hosts are sorted worst first, and filtered by words and state', () => {
  const list = hosts.entries(STATUS, [rowOf(0), rowOf(1), rowOf(2, { state: 'down', avg_latency: null })], null, true);
  const wanted = { state: '', query: '', sort: 'trouble' };
  assert.deepEqual(
    hosts.filterAndSort(list, wanted).map((e) => e.name),
    ['Quad9', 'Google DNS', 'Gateway'],
  );
  assert.deepEqual(
    hosts.filterAndSort(list, { ...wanted, query: '8.8 goo' }).map((e) => e.name),
    ['Google DNS'],
  );
  assert.deepEqual(
    hosts.filterAndSort(list, { ...wanted, state: 'down' }).map((e) => e.name),
    ['Quad9'],
  );
  assert.deepEqual(
    hosts.filterAndSort(list, { ...wanted, sort: '-name' }).map((e) => e.name),
    ['Quad9', 'Google DNS', 'Gateway'],
  );
  assert.deepEqual(hosts.countStates(list), { up: 2, degraded: 0, poor: 0, down: 1, not_measured: 0 });
});

const DOWN = { state: 'down', success_rate: 0, avg_latency: null };
const POOR = { state: 'poor', success_rate: 40 };
const NOT_MEASURED = { state: 'not_measured', success_rate: null, avg_latency: null };
/** The verdict for the states of Google DNS, gateway and Quad9. @param {(string | null)[]} states
 * @param {[number, string][]} outages host and cause @param {string} present */
function verdictOf(states, outages = [], present = 'now', more = {}) {
  const rows = states.flatMap((state, i) => (state ? [rowOf(i, { ...freshRow(NOW - 30), state })] : []));
  const status = { ...STATUS, ...more };
  const entries = hosts.entries(status, rows, null, present === 'now');
  const active = outages.map(([i, cause]) => outageOf(NOW - 90, 0, { cause, host_address: HOSTS[i].address }));
  return verdict.verdict({ status, entries, active, present }, null, NOW);
}
const HOSTS_WITH_ROLES = HOSTS.map((host) => ({ role: 'internet', ...host }));

test('the verdict blames the line only for what is on the way to the hosts', () => {
  const [up, down, poor, none] = ['up', 'down', 'poor', 'not_measured'];
  for (const [states, outages, state, title, text] of [
    [[up, up, up], [], up, 'The line is up', 'All 3 hosts answer.'],
    [[up, up, down], [], up, 'The line is up', '2 of 3 hosts answer.'],
    [[up, up, down], [[2, 'host']], up, 'The line is up', '2 of 3 hosts answer.'],
    [[up, up, down], [[2, 'provider']], 'degraded', 'The line is partly down', '2 of 3 hosts answer.'],
    [[poor, up, down], [[2, 'unknown']], poor, 'The line is poor', '2 of 3 hosts answer. Google DNS loses pings.'],
    [[down, up, down], [[0, 'provider'], [2, 'provider']], down, 'The line is down', '1 of 3 hosts answers.'],
    [[down, down, down], [[1, 'gateway']], down, 'No host answers', 'It is not known whether the line is at fault.'],
    [[down, down, down], [[0, 'gateway']], down, 'The line is down', 'No host answers.'],
    // Silent, before its cause is known.
    [
      [down, up, down], [], down, 'No host beyond the gateway answers',
      '1 of 3 hosts answers. It is not known whether the line is at fault.',
    ],
    [[down, up, down], [[0, 'host'], [2, 'host']], down, 'Both hosts beyond the gateway are down', '1 of 3 hosts answers.'],
    [
      [down, up, down], [[0, 'host'], [2, 'unknown']], down, 'No host beyond the gateway answers',
      '1 of 3 hosts answers. It is not known whether the line is at fault.',
    ],
    [
      [none, up, down], [], down, 'Quad9 does not answer',
      '1 of 3 hosts answers. Google DNS is not measured. It is not known whether the line is at fault.',
    ],
    [[none, up, down], [[2, 'host']], down, 'Quad9 is down', '1 of 3 hosts answers. Google DNS is not measured.'],
    // Nothing beyond the gateway is measured.
    [
      [none, up, none], [], up, 'The gateway is up',
      '1 of 3 hosts answers. Google DNS and Quad9 are not measured. '
        + 'Nothing beyond the gateway is measured, so nothing is known about the line.',
    ],
    [[none, none, none], [], none, 'The line is not measured', 'Google DNS, Gateway and Quad9 are not measured.'],
  ]) {
    const said = verdictOf(states, outages, 'now', { hosts: HOSTS_WITH_ROLES });
    assert.deepEqual([said.state, said.title, said.text], [state, title, text], `${states} ${JSON.stringify(outages)}`);
  }
});

test('of three hosts beyond the gateway two are most', () => {
  const list = ['x', 'y', 'z'].map((address, i) => entryOf(address, i < 2 ? down : {}));
  for (const [causes, state, title] of [
    [[], 'down', 'Most hosts beyond the gateway do not answer'],
    [['host', 'unknown'], 'down', 'Most hosts beyond the gateway do not answer'],
    [['host', 'host'], 'up', 'The line is up'],
    [['host', 'provider'], 'degraded', 'The line is partly down'],
  ]) {
    const active = causes.map((cause, i) => outageOf(NOW - 90, 0, { cause, host_address: list[i].address }));
    const line = verdict.lineOf(list, active, false);
    assert.deepEqual([line.state, line.title], [state, title], causes.join());
  }
});

test('the last outage is named only while none is ongoing', () => {
  const last = { host_name: 'Quad9', hosts: 1, end_time: iso(NOW - 3600), cause: 'provider' };
  const textOf = (states, active = [], more = {}) => {
    const rows = states.map((state, i) => rowOf(i, { ...freshRow(NOW - 30), state }));
    const entries = hosts.entries(STATUS, rows, null, true);
    return verdict.verdict({ status: STATUS, entries, active, present: 'now' }, { ...last, ...more }, NOW).text;
  };
  const up = ['up', 'up', 'up'];
  assert.match(textOf(up), /The last outage ended \S+ \(Quad9, cause provider\)\.$/);
  assert.match(textOf(up, [], { hosts: 3 }), /The last outage ended \S+ \(3 hosts, cause provider\)\.$/);
  assert.doesNotMatch(textOf(['up', 'up', 'down']), /last outage/);
  assert.doesNotMatch(textOf(up, [outageOf(NOW - 90, 0, { event_type: 'link_down', cause: 'link' })]), /last outage/);
  assert.match(textOf(up, [outageOf(NOW - 90, 0, { planned: true })]), /last outage/);
});

test('the measured share of all hosts counts each as long as it has been recorded', () => {
  const host = (coverage_percent, ago) => ({ coverage_percent, first_recorded: ago ? iso(NOW - ago) : null });
  for (const [list, expected] of [
    [[], null],
    [[host(null, 0)], null],
    [[host(98, 1000)], 98],
    [[host(98, 990), host(0, 10)], 97.02],
    // What was recorded before the days does not count.
    [[host(100, 5000), host(50, 1000)], 75],
  ])
    assert.equal(days.coverage(list, NOW - 1000, NOW), expected);
});

test('hosts of the own network say nothing about the line', () => {
  const local = HOSTS.map((host) => ({ ...host, role: host.role ?? 'other' }));
  const said = verdictOf(['up', 'up', 'up'], [], 'now', { hosts: local });
  assert.deepEqual(
    [said.title, said.text],
    ['The hosts are up', 'All 3 hosts answer. Nothing beyond the gateway is measured, so nothing is known about the line.'],
  );
});

test('what was measured is told as the past where nobody knows the present', () => {
  const three = ['up', 'up', 'up'];
  for (const [present, states, title, text] of [
    ['stopped', three, 'The line is not measured', 'The line was up at 14:34. The time since then counts as not measured.'],
    ['lost', three, 'The line was up', 'That was at 14:34. Server not reached: nothing has been known since then.'],
    ['login', three, 'The line was up', 'That was at 14:34. Login needed: nothing has been known since then.'],
    ['failed', three, 'The line was up', 'That was at 14:34. Server error: nothing has been known since then.'],
    ['unwritten', three, 'The line was up',
      'That was at 14:34. Results are not written: nothing has been known since then.'],
    ['paused', ['down', 'up', 'down'], 'No host beyond the gateway answered', 'That was at 14:34. Paused: nothing has been known since then.'],
    ['lost', [], 'Nothing known yet', 'Server not reached.'],
    ['unwritten', [], 'Nothing known yet', 'Results are not written.'],
    ['stopped', [], 'Nothing measured yet', 'The monitor stopped before anything was measured.'],
  ]) {
    const said = verdictOf(states, [], present, { hosts: HOSTS_WITH_ROLES });
    assert.deepEqual([said.state, said.title, said.text], ['not_measured', title, text], present);
  }
  const empty = { first_check: null };
  assert.equal(verdictOf([], [], 'now', empty).title, 'Waiting for the first results');
  assert.equal(verdictOf([], [], 'none', { ...empty, monitor: null }).text, 'No monitor has run on this database.');
  assert.equal(verdictOf([], [], 'now', { ...empty, hosts: [] }).title, 'No host is configured');
});

test('a host is up only where that is known of the present', () => {
  const entryOf = (present, more = {}) => {
    const status = { ...STATUS, hosts: [HOSTS[0]] };
    return hosts.entries(status, [rowOf(0, more)], null, present === 'now')[0];
  };
  for (const [present, more, state, text, sentence] of [
    ['now', {}, 'up', 'Up', 'A is up'],
    ['now', { stale: true }, 'not_measured', 'was up', 'A was up'],
    ['stopped', {}, 'not_measured', 'was up', 'A was up'],
    ['lost', DOWN, 'not_measured', 'was down', 'A was down'],
    ['login', POOR, 'not_measured', 'was poor', 'A was poor'],
    ['now', NOT_MEASURED, 'not_measured', 'Not measured', 'A is not measured'],
  ]) {
    const e = entryOf(present, more);
    assert.deepEqual([e.state, hosts.stateText(e), hosts.stateSentence('A', e)], [state, text, sentence], present);
  }
  assert.deepEqual(
    ['now', 'stopped', 'lost', 'paused'].map((present) => hosts.stateLabel('not_measured', present)),
    ['Not measured', 'Not measured', 'Not known now', 'Not known now'],
  );
  assert.equal(hosts.stateLabel('up', 'lost'), 'Up');
  assert.deepEqual(
    [{}, { stale: true }].map((more) => entryOf('now', { name_resolves: true, ...more }).resolves),
    [true, null],
  );
});

test('the mark of the connection is live only while a running monitor is asked', () => {
  const monitor = { running: true };
  const old = { configured: true, isOld: true };
  for (const [kind, status, newest, more, expected] of [
    ['live', { monitor }, NOW - 5, {}, ['up', 'Live, last check 5 s ago']],
    ['live', { monitor }, NOW - 500, { entries: [old] }, ['not_measured', 'No new check for 8 min 20 s']],
    ['live', { monitor }, -Infinity, {}, ['not_measured', 'Measuring for the first time']],
    ['live', { monitor: { running: false } }, NOW - 60, {}, ['down', 'Stopped, last check 1 min ago']],
    ['live', { monitor: { running: false } }, -Infinity, {}, ['down', 'No monitor is running']],
    ['live', { monitor: null }, -Infinity, {}, ['down', 'No monitor is running']],
    ['live', null, -Infinity, {}, ['not_measured', 'Loading']],
    ['loading', { monitor }, NOW - 500, {}, ['not_measured', 'Loading']],
    ['lost', { monitor }, NOW - 5, { wait: 4 }, ['not_measured', 'Server not reached, trying again in 4 s']],
    ['login', { monitor }, NOW - 5, {}, ['not_measured', 'Login needed']],
    ['failed', { monitor }, NOW - 5, {}, ['not_measured', 'The server answers with an error, trying again in 1 s']],
    ['unwritten', { monitor }, NOW - 5, {}, ['not_measured', 'Results are not written']],
    ['paused', { monitor }, NOW - 5, {}, ['not_measured', 'Paused at 14:35']],
  ]) {
    const connection = { kind, wait: more.wait ?? 0, at: NOW, reason: '' };
    const app = { present: live.presentOf(connection, status), connection, newest, entries: more.entries ?? [] };
    assert.deepEqual(live.connectionText(app, NOW), expected, `${kind} ${JSON.stringify(status)}`);
  }
});

test('a login is told from an error and from a server that does not answer', () => {
  for (const [error, kind, reason] of [
    [new TypeError('Failed to fetch'), 'lost', ''],
    [new DOMException('aborted', 'AbortError'), 'lost', ''],
    [new api.ApiError('', 0, false), 'login', ''],
    [new api.ApiError('', 200, false), 'login', ''],
    [new api.ApiError('', 302, false), 'login', ''],
    [new api.ApiError('', 401, false), 'login', ''],
    [new api.ApiError('', 403, false), 'login', ''],
    [new api.ApiError('', 502, false), 'failed', 'a proxy answers in its place, with status 502'],
    [new api.ApiError('the disk is full', 503), 'failed', 'the disk is full'],
  ])
    assert.deepEqual(api.judgeFailure(error), { kind, reason }, `${error.status} ${error.isOurs}`);
});

test('a server that is busy is asked once more when it says so', async () => {
  const own = globalThis.fetch;
  const busy = (after) => new Response('{"detail":"busy"}', { status: 503, headers: after ? { 'Retry-After': after } : {} });
  try {
    for (const [answers, expected] of [
      [[busy('0.05'), new Response('[1]')], [[1], 2]],
      [[busy('0.05'), busy('0.05'), new Response('[1]')], ['busy', 2]],
      [[busy(''), new Response('[1]')], ['busy', 1]],
      [[busy('11'), new Response('[1]')], ['busy', 1]],
      [[new Response('{"detail":"busy"}', { status: 500, headers: { 'Retry-After': '0.05' } })], ['busy', 1]],
    ]) {
      let sent = 0;
      globalThis.fetch = async () => answers[sent++];
      const found = await api.get('api/hosts').catch((error) => error.message);
      assert.deepEqual([found, sent], expected);
    }
  } finally {
    globalThis.fetch = own;
  }
});

const entryOf = (name, more = {}) => ({
  name,
  address: name,
  role: 'internet',
  configured: true,
  state: 'up',
  latency: 6.1,
  isName: false,
  resolves: null,
  ...more,
});
const down = { state: 'down', latency: null };

test('there is one problem per cause, and planned outages are none', () => {
  const of = (name, more) => outageOf(NOW - 300, 0, { host_name: name, host_address: name, ...more });
  const found = cause.currentProblems(
    [
      of('a'),
      of('b', { start_time: iso(NOW - 310) }),
      of('c', { cause: 'host' }),
      of('d', { planned: true }),
      of('link', { event_type: 'link_down', cause: 'link', host_address: 'IPv6', notes: 'no route' }),
    ],
    [
      entryOf('d', down),
      entryOf('e', { state: 'poor', received: 1 }),
      entryOf('f', { ...down, received: 0 }),
      entryOf('a', down),
    ],
  );
  assert.deepEqual(
    found.map((t) => [t.kind, t.cause, t.names.join()]),
    [
      ['link_down', 'link', 'link'],
      ['outage', 'provider', 'a,b'],
      ['outage', 'host', 'c'],
      ['loss', 'unknown', 'e'],
    ],
  );
  assert.equal(found[1].since, NOW - 310);
  const words = found.map((t) => cause.problemText(t, [entryOf('z')]));
  assert.deepEqual(
    words.map((w) => w.title + w.which),
    ['This machine’s link is down for IPv6', 'Provider outage, 2 hosts,', 'c is down', 'e loses many pings'],
  );
  assert.equal(words[0].state, 'not_measured');
  assert.equal(words[0].rest, 'Nothing can be sent over it, so nothing is measured: no route.');
  assert.equal(words[2].rest, 'Cause: host. Other hosts answer, so it is not your line.');
});

test('the path is up as far as the step that is down, and not judged beyond it', () => {
  const list = [entryOf('192.168.1.1', { role: 'gateway' }), entryOf('a'), entryOf('ns.example', { role: 'dns' })];
  const states = (active, entries) => cause.pathNow(active, entries).map((s) => s.state);
  assert.deepEqual(states([], list), ['up', 'up', 'up', 'up', 'up']);
  assert.deepEqual(
    cause.pathNow([], list).map((s) => s.detail),
    ['packets can be sent', '192.168.1.1, 6.1 ms', 'nearest host 6.1 ms', '1 of 1 server answers pings', '3 of 3 answer'],
  );
  const silent = [list[0], ...list.slice(1).map((e) => ({ ...e, ...down }))];
  assert.deepEqual(states([outageOf(NOW - 60, 0)], silent), ['up', 'up', 'down', 'not_measured', 'not_measured']);
  const blocked = list.map((e) => ({ ...e, state: 'not_measured' }));
  assert.deepEqual(states([outageOf(NOW - 60, 0, { event_type: 'link_down', cause: 'link' })], blocked), [
    'down',
    'not_measured',
    'not_measured',
    'not_measured',
    'not_measured',
  ]);
  assert.deepEqual(
    states([outageOf(NOW - 60, 0, { event_type: 'link_down', cause: 'link', host_address: 'IPv6' })], list),
    ['degraded', 'up', 'up', 'up', 'up'],
    'IPv4 answers',
  );
  assert.deepEqual(states([outageOf(NOW - 60, 0, { cause: 'host' })], [list[0], { ...list[1], ...down }, list[2]]), [
    'up',
    'up',
    'up',
    'up',
    'down',
  ]);
  assert.deepEqual(states([outageOf(NOW - 60, 0, { event_type: 'dns', cause: 'dns', host_name: 'ns' })], list), [
    'up',
    'up',
    'up',
    'down',
    'up',
  ]);
});

test('the tab says the worst of what is wrong, and that nothing is known', () => {
  const list = [entryOf('x', down), entryOf('y', { state: 'poor' })];
  const host = outageOf(NOW - 60, 0, { cause: 'host', host_name: 'x', host_address: 'x' });
  const link = outageOf(NOW - 60, 0, { event_type: 'link_down', cause: 'link', host_address: 'IPv4 and IPv6' });
  for (const [present, active, entries, kind, text] of [
    ['now', [], [entryOf('x')], '', ''],
    ['now', [host], [list[0]], 'down', 'x is down'],
    ['now', [host], list, 'down', 'x is down and 1 more'],
    ['now', [{ ...host, planned: true }], [list[0]], '', ''],
    ['now', [{ ...host, cause: 'provider' }], [list[0]], 'down', 'Provider outage'],
    ['now', [link], [], 'down', 'This machine’s link is down'],
    ['now', [], list, 'minor', 'y loses many pings'],
    ['loading', [host], list, '', ''],
    ['lost', [host], list, 'unknown', 'Server not reached'],
    ['login', [], list, 'unknown', 'Login needed'],
    ['failed', [], list, 'unknown', 'Server error'],
    ['unwritten', [], list, 'unknown', 'Results are not written'],
    ['stopped', [host], list, 'unknown', 'Nothing is measured'],
    ['none', [], [], 'unknown', 'Nothing is measured'],
    ['paused', [], list, 'unknown', 'Paused'],
  ]) {
    assert.deepEqual(cause.troubleOf({ present, active, entries }), { kind, text }, `${present} ${text}`);
    assert.match(shapes.iconOf(kind), kind ? /^data:image\/svg\+xml,%3Csvg/ : /^icon\.svg$/);
  }
});

test('old results say nothing about the hosts now', () => {
  const old = entryOf('x', { state: 'not_measured', isOld: true, was: 'up' });
  for (const [list, word, detail] of [
    [[old, old], 'Not known', ''],
    [[old, entryOf('y')], 'Up', '1 of 2 answers'],
    [[{ ...old, isOld: false }], 'Not measured', '0 of 1 answer'],
  ]) {
    const step = cause.pathNow([], list)[4];
    assert.deepEqual([step.word, step.detail], [word, detail]);
  }
});

test('names resolve where the server says so of a host', () => {
  const fails = outageOf(NOW - 60, 0, { event_type: 'dns', cause: 'dns', host_name: 'x' });
  const server = { role: 'dns', isName: false };
  for (const [active, list, word, detail] of [
    [[], [entryOf('gateway', { role: 'gateway' }), entryOf('192.0.2.1')], 'Not monitored', 'no host has a name'],
    [[], [entryOf('x', { isName: true, resolves: true })], 'Up', 'names resolve'],
    [[], [entryOf('x', { isName: true, resolves: null, ...down })], 'Not known', ''],
    [[], [entryOf('x', { isName: true, resolves: false, state: 'not_measured' })], 'Down', 'x not resolved'],
    [[fails], [entryOf('x', { isName: true, resolves: false })], 'Down', 'x not resolved'],
    [[], [entryOf('ns', server)], 'Up', '1 of 1 server answers pings'],
    [[], [entryOf('ns', server), entryOf('x', { isName: true, resolves: false })], 'Down', 'x not resolved'],
    [[], [entryOf('ns', { ...server, ...down })], 'Down', 'ns down'],
    [[], [entryOf('ns', { ...server, state: 'not_measured' })], 'Not known', ''],
  ]) {
    const step = cause.pathNow(active, list)[3];
    assert.deepEqual([step.word, step.detail], [word, detail], JSON.stringify(list));
  }
});

test('a banner says what answers only where that is known', () => {
  const gateway = (more = {}) => entryOf('gw', { role: 'gateway', ...more });
  const silent = entryOf('x', down);
  const old = { state: 'not_measured' };
  const facts = { gateway: 'answers' };
  for (const [problem, list, rest] of [
    [{ cause: 'provider' }, [gateway(), silent], 'The gateway answers, but nothing beyond it does.'],
    [{ cause: 'provider' }, [silent], 'Nothing beyond the gateway answers.'],
    [{ cause: 'provider', facts }, [silent], 'The gateway answers, but nothing beyond it does.'],
    [{ cause: 'provider', facts: { ...facts, on_path_answering: 1 } }, [silent],
      'Packets get past this network and are lost beyond it.'],
    [{ cause: 'provider', facts }, [gateway(), silent, entryOf('y')], 'Other hosts beyond the gateway answer.'],
    [{ cause: 'gateway' }, [gateway(down), silent], 'Neither the gateway nor anything beyond it answers.'],
    [{ cause: 'gateway' }, [gateway(), silent], 'The gateway answers again, but nothing beyond it does.'],
    [{ cause: 'host' }, [silent, entryOf('y')], 'Cause: host. Other hosts answer, so it is not your line.'],
    [{ cause: 'host' }, [silent, entryOf('y', { state: 'poor' })], 'Cause: host. Other hosts answer, so it is not your line.'],
    // A printer or the gateway says nothing about the line.
    [{ cause: 'host' }, [silent, entryOf('y', { role: 'other' }), gateway()], 'Cause: host.'],
    [{ cause: 'host' }, [silent, entryOf('y', old)], 'Cause: host.'],
    [{ cause: 'unknown' }, [silent, entryOf('y')], 'The cause is not known.'],
    [{ cause: 'dns', event_type: 'dns' }, [entryOf('x')], 'Pings continue to the last good address.'],
    [{ cause: 'dns', event_type: 'dns' }, [entryOf('x', old)], 'Without an address nothing can be sent.'],
  ]) {
    const active = [outageOf(NOW - 60, 0, { host_name: 'x', host_address: 'x', ...problem })];
    const [found] = cause.currentProblems(active, list);
    assert.equal(cause.problemText(found, list).rest, rest, JSON.stringify([problem, list.map((e) => [e.role, e.state])]));
  }
});

test('the banner of a host never clears the line above which the verdict blames it', () => {
  const states = ['up', 'poor', 'down', 'not_measured'];
  const causes = [null, 'gateway', 'provider', 'host', 'unknown'];
  for (const a of states)
    for (const b of states)
      for (const c of causes)
        for (const d of causes) {
          const list = [entryOf('a', { state: a }), entryOf('b', { state: b }), entryOf('gw', { role: 'gateway' })];
          const active = [c, d].flatMap((cause, i) =>
            cause && list[i].state === 'down' ? [outageOf(NOW, 0, { cause, host_address: list[i].address })] : [],
          );
          const line = verdict.lineOf(list, active, false);
          for (const problem of cause.currentProblems(active, list)) {
            const { rest } = cause.problemText(problem, list);
            assert.ok(!(/not your line/.test(rest) && /line is down/.test(line.title)), `${a} ${b} ${c} ${d}`);
          }
          const provider = cause.pathNow(active, list)[2];
          assert.ok(!(provider.state === 'up' && /line is down/.test(line.title)), `${a} ${b} ${c} ${d}`);
        }
});

test('the evidence for a cause is written in sentences', () => {
  const words = (f, more) => details.factsText(outageOf(NOW - 60, 0, { facts: f, ...more }));
  assert.equal(
    words({
      gateway_address: '192.168.1.1',
      gateway: 'answers',
      beyond_answering: 0,
      beyond_silent: 8,
      near_answering: 1,
      near_silent: 0,
      path_reached: '100.64.0.1',
    }),
    'The gateway 192.168.1.1 answered. 8 other hosts beyond it did not answer either. 1 other host on this machine’s own networks answered. On the path, 100.64.0.1 still answered.',
  );
  assert.equal(
    words({
      gateway_address: '192.168.1.1',
      gateway: 'silent',
      gateway_answered_before: false,
      on_path_answering: 1,
      beyond_silent: 1,
      path_reached: '192.168.1.1',
      path_is_whole: true,
    }),
    'The gateway 192.168.1.1 did not answer pings, nor did it before. 1 other host beyond it did not answer either. 1 other host on the path to the host answered. Packets got no further than the gateway, as before the outage.',
  );
  assert.equal(
    words({ gateway_address: null, gateway: 'unknown', beyond_silent: 2, link_reached: '100.64.0.1' }),
    'No gateway address is known. 2 other hosts beyond this machine’s networks did not answer either. Packets to another host got as far as 100.64.0.1.',
  );
  assert.equal(
    words({ gateway_address: 'fe80::1', interface: 'eth1', gateway: 'answers' }),
    'The gateway fe80::1 by eth1 answered.',
  );
  assert.equal(
    words({ gateway_address: null, interface: 'ppp0', gateway: 'unknown' }),
    'The route by ppp0 has no gateway address.',
  );
  assert.equal(words({ link_fault: 'eth0 has no carrier' }), 'Nothing could be sent: eth0 has no carrier.');
  assert.equal(words(null), 'It was not recorded what else answered.');
  assert.equal(
    details.hopsText({ at: '', reached: false, hops: ['192.168.1.1', null, '100.64.0.1'] }),
    '192.168.1.1, a silent hop, 100.64.0.1, then nothing',
  );
  assert.equal(details.hopsText({ at: '', reached: true, hops: [] }), 'the host itself');
});

test('the URL of the report has whole seconds and the host’s address', () => {
  assert.equal(queries.reportUrl({ from: 10.5, to: 20.2 }), 'api/report?from=10&to=21');
  assert.equal(
    queries.reportUrl({ from: 10, to: 20 }, '2001:db8::1'),
    'api/report?from=10&to=20&host_address=2001%3Adb8%3A%3A1',
  );
});

const STATIC = new URL('../../static/', import.meta.url);
const files = (await readdir(new URL('js/', STATIC), { recursive: true }))
  .filter((f) => f.endsWith('.js'))
  .map((f) => `js/${f}`);
const text = async (name) => readFile(new URL(name, STATIC), 'utf8');

test('modules import only from their own folder and from lower ones', async () => {
  const layers = ['data', '', 'charts', 'parts', 'pages'];
  for (const file of files) {
    // The entry modules open pages.
    if (/^js\/(main|early)\.js$/.test(file)) continue;
    const layer = (path) => layers.indexOf(path.split('/').slice(1, -1).join('/'));
    for (const [, path] of (await text(file)).matchAll(/^import [^;]*?'(.+)';/gm)) {
      const target = new URL(path, `http://x/${file}`).pathname.slice(1);
      const isEntry = /^js\/(first|early)\.js$/.test(target);
      assert.ok(isEntry || layer(target) <= layer(file), `${file} imports ${target}`);
    }
  }
});

test('no markup is parsed, no style or handler is inline, nothing is loaded from elsewhere', async () => {
  for (const name of [...files, 'index.html', 'style.css']) {
    const body = await text(name);
    assert.doesNotMatch(body, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, name);
    assert.doesNotMatch(body.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\/|url\(\/\/|@import/, name);
    assert.doesNotMatch(body, /'style':|style: ['`]|setAttribute\('style'/, name);
  }
  assert.doesNotMatch(await text('index.html'), /\son\w+=|style=|<style|<script(?![^>]*src)|(?:href|src)="\//);
});

test('a clock change is found to the minute, and none where there is none', () => {
  const changed = Date.UTC(2026, 9, 25, 1) / 1000;
  /** @param {number} t */
  const berlin = (t) => (t < changed ? 120 : 60);
  const now = Date.UTC(2026, 10, 25, 12) / 1000;
  assert.deepEqual(first.offsetChanges(now, 90, berlin), [{ at: changed, earlier: 120 }]);
  assert.deepEqual(first.offsetChanges(now, 20, berlin), []);
  assert.deepEqual(
    first.offsetChanges(1.7e9, 90, () => -300),
    [],
  );
  // Morocco sets its clocks back for Ramadan and forward again.
  const [began, ended] = [Date.UTC(2026, 1, 15, 2) / 1000, Date.UTC(2026, 2, 22, 2) / 1000];
  /** @param {number} t */
  const casablanca = (t) => (t < began || t >= ended ? 60 : 0);
  assert.deepEqual(first.offsetChanges(Date.UTC(2026, 3, 10) / 1000, 90, casablanca), [
    { at: ended, earlier: 0 },
    { at: began, earlier: 60 },
  ]);
});

test('two IP versions of an address are two hosts', () => {
  const rows = api.useHostKeys([
    { host_address: 'twin.test', host_key: 'twin.test (IPv4)' },
    { host_address: 'twin.test', host_key: 'twin.test (IPv6)' },
    { host_address: 'a' },
  ]);
  assert.deepEqual(
    rows.map((r) => r.host_address),
    ['twin.test (IPv4)', 'twin.test (IPv6)', 'a'],
  );
  assert.equal(
    api.useHostKeys({ hosts: [{ address: 'twin.test', host_key: 'twin.test (IPv4)' }] }).hosts[0].address,
    'twin.test (IPv4)',
  );
  assert.equal(api.useHostKeys(null), null);
});

test('an unknown sort key sorts worst first', () => {
  for (const sort of ['__proto__', 'constructor', '-toString', ''])
    assert.deepEqual(hosts.filterAndSort([], { state: '', query: '', sort }), [], sort);
  const list = [
    { state: 'up', name: 'b', address: '1', order: 0 },
    { state: 'down', name: 'a', address: '2', order: 1 },
  ];
  assert.deepEqual(
    hosts.filterAndSort(list, { state: '', query: '', sort: '__proto__' }).map((e) => e.name),
    ['a', 'b'],
  );
});

test('many short outages are drawn pale, and a single one is not', () => {
  const minute = (at) => [at, at + 0.02];
  assert.ok(series.crowded(Array.from({ length: 400 }, (_, i) => minute(i * 3))).every(Boolean));
  assert.deepEqual(series.crowded([...[10, 12, 14, 16].map(minute), minute(100), minute(104), [8, 40], null]), [
    true,
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('only status 404 means an unknown host', () => {
  assert.equal(api.isNotFound(new api.ApiError('was never recorded', 404)), true);
  assert.equal(api.isNotFound(new api.ApiError('nothing is recorded yet', 503)), false);
  assert.equal(api.isNotFound(new TypeError('no server')), false);
});

test('the sum over all hosts says since when, and counts what began together once', () => {
  const from = NOW - 89.6 * 86400;
  const none = { events: 0, seconds: 0 };
  const said = (list, first, view = {}) => outages.sumText(list, { active: false, cause: '', host: '', ...view }, 90, from, first, NOW);
  const sums = (count, ofHosts, number, down, more = {}) => ({
    outages: count,
    outages_of_hosts: ofHosts,
    hosts: number,
    down_seconds: down,
    links: none,
    names: none,
    ...more,
  });
  const link = { links: { events: 1, seconds: 5700 } };
  const names = { names: { events: 3, seconds: 1020 } };
  const more = ' Time that was not measured never counts as an outage, and planned outages are not counted.';
  for (const [list, first, text] of [
    [sums(0, 0, 0, 0), NaN, 'Nothing is recorded yet.'],
    [sums(0, 0, 0, 0), from - 1, `In 90 days no outage was recorded.${more}`],
    [sums(0, 0, 0, 0), NOW - 1380, `Since 14:12 no outage was recorded.${more}`],
    [sums(1, 1, 1, 60), from, `In 90 days 1 outage; the host was down for 1 min.${more}`],
    [
      sums(3, 27, 9, 2400),
      from,
      `In 90 days 3 outages (27 counted for each host); at least one of 9 hosts was down for 40 min.${more}`,
    ],
    [sums(2, 2, 2, 45), NOW - 1380, `Since 14:12 2 outages; at least one of 2 hosts was down for 45 s.${more}`],
    [
      sums(1, 1, 1, 60, { ...link, ...names }),
      from,
      'In 90 days 1 outage; the host was down for 1 min. Besides, this machine’s link was down for 1 h 35 min (once), '
        + `and names did not resolve for 17 min (3 times).${more}`,
    ],
  ])
    assert.equal(said(list, first), text);
  // What is listed is named, not what is left out.
  for (const [list, view, text] of [
    [sums(0, 0, 0, 0, link), { cause: 'link' }, `In 90 days this machine’s link was down for 1 h 35 min (once).${more}`],
    [sums(0, 0, 0, 0), { cause: 'gateway' }, `In 90 days no such outage was recorded.${more}`],
    [sums(4, 4, 1, 60), { host: 'x' }, `In 90 days 4 such outages; the host was down for 1 min.${more}`],
    [sums(0, 0, 0, 0), { active: true }, 'No outage is ongoing.'],
    [sums(1, 2, 2, 253), { active: true }, '1 outage is ongoing, of 2 hosts, for 4 min 13 s.'],
    [sums(2, 2, 2, 60, names), { active: true }, '2 outages are ongoing, of 2 hosts, for 1 min. 3 names do not resolve.'],
    [sums(0, 0, 0, 0, link), { active: true }, 'This machine’s link is down.'],
  ])
    assert.equal(said(list, from, view), text);
});

test('an empty list of outages says since when nothing was recorded', () => {
  const said = (wanted, first) => outages.emptyText({ active: false, cause: '', host: '', ...wanted }, first, NOW);
  assert.equal(said({}, NaN), 'No outage can be listed before something was measured.');
  assert.equal(said({ active: true }, NOW - 60), 'No outage is ongoing.');
  assert.equal(said({}, NOW - 1380), 'No outage is recorded since 14:12.');
  assert.equal(said({ host: '8.8.8.8' }, NOW - 1380), 'No such outage is recorded since 14:12.');
});

test('host keys replace addresses in a list by incident too', () => {
  const rows = [{ outages: [{ host_address: 'twin.test', host_key: 'twin.test (IPv4)' }] }];
  assert.equal(
    api.useHostKeys({ hosts: 1, incidents: rows }).incidents[0].outages[0].host_address,
    'twin.test (IPv4)',
  );
});

test('the label of a range says since when if the record is shorter, and none repeats a figure', () => {
  const ranges = [
    ['24 hours', NOW - 86400],
    ['7 days', time.startOfDay(NOW, -6)],
    ['90 days', time.startOfDay(NOW, -89)],
  ];
  for (const [first, labels] of [
    [NaN, ['24 hours', '7 days', '90 days']],
    [NOW - 91 * 86400, ['24 hours', '7 days', '90 days']],
    [time.startOfDay(NOW, -89), ['24 hours', '7 days', '90 days']],
    [NOW - 1380, ['since 14:12', null, null]],
    [NOW - 3 * 86400, ['24 hours', 'since Fri 20 Nov, 14:35', null]],
    [NOW - 30 * 86400, ['24 hours', '7 days', 'since Sat 24 Oct, 15:35']],
  ])
    assert.deepEqual(days.rangeLabels(ranges, first, NOW), labels);
});

test('notices that wait have a sentence that says since when and why', () => {
  const queue = { waiting: 3, since: '2026-11-23T13:04:00Z', failure: null, others_pass: false };
  for (const [more, text] of [
    [{ reason: 'failed', failure: 'sh: exit status: 3' }, 'the command failed: sh: exit status: 3.'],
    [
      { reason: 'failed', failure: 'sh: exit status: 3', others_pass: true },
      'the command failed: sh: exit status: 3; later ones were sent.',
    ],
    [{ reason: 'limit' }, 'as many as alerts.most_per_hour were sent within an hour.'],
    [{ reason: 'no_monitor' }, 'the monitor is not running.'],
    [{ reason: 'no_command' }, 'no alerts.command is configured.'],
  ]) {
    assert.equal(notices.noticesText({ ...queue, ...more }, NOW), `3 notices have been waiting since 14:04: ${text}`);
  }
  const one = { ...queue, waiting: 1, reason: 'limit' };
  assert.match(notices.noticesText(one, NOW), /^1 notice has been waiting since /);
});

test('what the engine does not have has a sentence that says since when and why', () => {
  const push = {
    oldest: '2026-11-23T13:04:00Z',
    newest: '2026-11-23T13:30:00Z',
    events: 0,
    failure: null,
    failing_since: null,
    refused: 0,
    refused_at: null,
    refusal: null,
  };
  const failed = { reason: 'failed', failure: 'x: 500 Oops', failing_since: '2026-11-23T13:05:00Z' };
  const refused = { refused: 7, refused_at: '2026-11-23T13:06:00Z', refusal: 'x: 400 Bad' };
  const waits = 'push: checks from 14:04 to 14:30';
  const words = '7 of the checks and events refused, the last at 14:06: x: 400 Bad.';
  for (const [more, text] of [
    [{ reason: 'no_monitor' }, `${waits} not sent yet: the monitor is not running.`],
    [{ reason: 'sending' }, `${waits} not sent yet: they are being sent.`],
    [{ ...failed, events: 2 }, `${waits} and 2 events not sent yet: it fails since 14:05: x: 500 Oops.`],
    [{ ...failed, ...refused }, `${waits} not sent yet: it fails since 14:05: x: 500 Oops; ${words}`],
    [{ reason: 'refused', ...refused }, `push: ${words}`],
  ])
    assert.equal(notices.pushText({ ...push, ...more }, NOW), text);
});
