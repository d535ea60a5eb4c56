// Serves the page's files, and made-up answers to every question the page asks, with the headers of the real server.
// By hand: node mock.mjs [port] [hosts]
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { DAY, START, createWorld } from './world.mjs';

const STATIC = fileURLToPath(new URL('../../static/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' };
const ORDER = ['up', 'not_measured', 'degraded', 'down'];
const worst = (states) => states.reduce((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a));
const iso = (t) => new Date(t * 1000).toISOString();
const quantile = (sorted, share) => (sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : null);

/** @param {{hosts?: number, trouble?: boolean, scenario?: 'running' | 'first-run' | 'stopped' | 'killed' | 'lost'}} [options] */
export function createMock(options = {}) {
  const world = createWorld(options.hosts ?? 13, options);
  const mock = { scenario: options.scenario ?? 'running', extra: 0, answer, now };
  const born = Date.now() / 1000;
  const stoppedAt = START - 8040;

  function now() {
    return START + (Date.now() / 1000 - born) + mock.extra;
  }
  /** The newest instant that was measured. */
  const end = () => (mock.scenario === 'stopped' || mock.scenario === 'killed' ? stoppedAt : mock.scenario === 'first-run' ? 0 : now());

  const row = (host, c) => ({
    host_name: host.name, host_address: host.address, timestamp: iso(c.t), success_count: 5 - c.lost, failure_count: c.lost, success_rate: c.rate,
    min_latency: c.min && c.min / 1000, max_latency: c.max && c.max / 1000, avg_latency: c.avg && c.avg / 1000, state: c.state, sent: 5, rtts_us: c.rtts, late: 0, duplicates: 0, foreign: 0, error: null,
  });
  const recent = (host) => {
    for (let t = Math.floor(end() / 60) * 60; t > end() - 3600 * 3; t -= 60) {
      const c = world.check(host, t);
      if (c) return c;
    }
    return null;
  };
  const latest = () => world.hosts.map((host) => {
    const c = recent(host);
    const blind = c && end() - c.t > 300;
    if (!c || blind) {
      return { host_name: host.name, host_address: host.address, timestamp: c ? iso(c.t) : null, success_count: null, failure_count: null, success_rate: null, min_latency: null, max_latency: null, avg_latency: null, state: 'not_measured', sent: null, rtts_us: null, late: 0, duplicates: 0, foreign: 0, error: c ? 'no IPv6 route' : null, configured: true, stale: !c, age_seconds: c ? now() - c.t : null };
    }
    return { ...row(host, c), configured: true, stale: now() - c.t > 180, age_seconds: now() - c.t };
  });

  function summary(list) {
    const rtts = list.flatMap((c) => c.rtts.filter((us) => us !== null)).sort((a, b) => a - b);
    return { rtts, checks: list.length, sent: list.length * 5, lost: list.reduce((n, c) => n + c.lost, 0) };
  }

  function series(host, from, to, points) {
    const bucket = Math.max(60, Math.ceil((to - from) / points / 60) * 60);
    const columns = Object.fromEntries(['t', 'state', 'checks', 'sent', 'lost', 'not_measured', 'success_rate', 'worst_rate', 'min_us', 'p5_us', 'p25_us', 'p50_us', 'p75_us', 'p95_us', 'max_us', 'avg_us'].map((k) => [k, []]));
    const start = Math.floor(from / bucket) * bucket;
    for (let t = start; t < to; t += bucket) {
      const step = bucket > 3600 ? Math.max(60, Math.floor(bucket / 60 / 40) * 60) : 60;
      const list = [...world.checks(host, t, Math.min(t + bucket - 1, end()), step)];
      columns.t.push(t);
      const s = summary(list);
      const put = (k, v) => columns[k].push(list.length ? v : null);
      put('state', list.length && worst(list.map((c) => c.state)));
      put('checks', s.checks);
      put('sent', s.sent);
      put('lost', s.lost);
      columns.not_measured.push(list.length ? 0 : null);
      put('success_rate', list.length && list.reduce((n, c) => n + c.rate, 0) / list.length);
      put('worst_rate', list.length && Math.min(...list.map((c) => c.rate)));
      for (const [k, q] of [['min_us', 0], ['p5_us', 0.05], ['p25_us', 0.25], ['p50_us', 0.5], ['p75_us', 0.75], ['p95_us', 0.95], ['max_us', 1]]) put(k, quantile(s.rtts, q));
      put('avg_us', s.rtts.length ? Math.round(s.rtts.reduce((a, b) => a + b, 0) / s.rtts.length) : null);
    }
    return { from, to, bucket_seconds: bucket, source: bucket > 3600 ? 'rollup' : 'raw', columns };
  }

  const events = (host) => host.outages.filter(([from]) => from <= end() && from >= world.first).map(([from, length], i) => ({
    id: host.index * 100 + i, host_name: host.name, host_address: host.address, event_type: 'outage', start_time: iso(from), end_time: from + length < end() ? iso(from + length) : null,
    duration_seconds: from + length < end() ? length : null, checks_failed: Math.round(Math.min(length, end() - from) / 60), checks_during_outage: Math.round(Math.min(length, end() - from) / 60),
    recovery_success_rate: from + length < end() ? 100 : null, notes: null,
  }));

  /** Seconds of list's spans within a span. */
  const overlap = (list, from, to) => list.reduce((sum, [a, length]) => sum + Math.max(0, Math.min(a + length, to) - Math.max(a, from)), 0);

  function statistics(host, from, to) {
    const b = Math.min(to, end());
    const a = Math.max(from, world.first);
    if (b <= a) return { avg_success_rate: null, min_success_rate: null, max_success_rate: null, overall_avg_latency: null, overall_min_latency: null, overall_max_latency: null, total_checks: 0, sent: 0, lost: 0, late: 0, duplicates: 0, foreign: 0, p50_us: null, p95_us: null, p99_us: null, mdev_us: null, availability_percent: null, coverage_percent: 0, down_seconds: 0, not_measured_seconds: 0 };
    const step = Math.max(60, Math.ceil((b - a) / 3000 / 60) * 60);
    const list = [...world.checks(host, a, b, step)];
    const s = summary(list);
    const blind = overlap(host.unmeasured, a, b);
    const down = overlap(host.outages, a, b);
    return {
      avg_success_rate: list.length ? list.reduce((n, c) => n + c.rate, 0) / list.length : null, min_success_rate: 0, max_success_rate: 100,
      overall_avg_latency: host.latency, overall_min_latency: (s.rtts[0] ?? 0) / 1000, overall_max_latency: (s.rtts[s.rtts.length - 1] ?? 0) / 1000,
      total_checks: s.checks, sent: s.sent, lost: s.lost, late: 0, duplicates: 0, foreign: 0, p50_us: quantile(s.rtts, 0.5), p95_us: quantile(s.rtts, 0.95), p99_us: quantile(s.rtts, 0.99), mdev_us: 1900,
      availability_percent: 100 - (100 * down) / Math.max(1, b - a - blind), coverage_percent: 100 - (100 * blind) / (b - a), down_seconds: down, not_measured_seconds: blind,
    };
  }

  function overview(offset, count) {
    const day0 = Math.floor((now() + offset * 60) / DAY) * DAY - offset * 60 - (count - 1) * DAY;
    const hosts = world.hosts.map((host, i) => {
      const days = { state: [], down_seconds: [], measured_seconds: [] };
      for (let d = 0; d < count; d += 1) {
        const from = Math.max(day0 + d * DAY, world.first);
        const to = Math.min(day0 + (d + 1) * DAY, end());
        const blind = overlap(host.unmeasured, from, to);
        const down = overlap(host.outages, from, to);
        const slow = overlap(host.degraded, from, to);
        days.state.push(to <= from ? null : down ? 'down' : slow ? 'degraded' : blind > (to - from) / 2 ? 'not_measured' : 'up');
        days.down_seconds.push(to <= from ? null : Math.min(down, to - from));
        days.measured_seconds.push(to <= from ? null : to - from - blind);
      }
      const c = series(host, now() - DAY, now(), 48).columns;
      const s = statistics(host, now() - 90 * DAY, now());
      const l = latest()[i];
      return { host_name: host.name, host_address: host.address, configured: true, role: host.role, state: l.state, timestamp: l.timestamp, error: l.error, availability_percent: s.availability_percent, coverage_percent: end() ? s.coverage_percent : null, avg_latency: l.avg_latency, days, spark: { t: c.t, state: c.state.map((x) => x ?? 'not_measured'), p5_us: c.p5_us, p50_us: c.p50_us, p95_us: c.p95_us } };
    });
    return { now: iso(now()), first_day: new Date((day0 + offset * 60) * 1000).toISOString().slice(0, 10), days: count, hosts };
  }

  function hours(host, from, to) {
    const columns = { t: [], checks: [], sent: [], lost: [], not_measured: [], down: [], p50_us: [] };
    for (let t = Math.floor(Math.max(from, world.first) / 3600) * 3600; t < Math.min(to, end()); t += 3600) {
      const list = [...world.checks(host, t, t + 3599, 180)];
      const s = summary(list);
      for (const [k, v] of Object.entries({ t, checks: s.checks, sent: s.sent, lost: s.lost, not_measured: list.length ? 0 : 60, down: list.filter((c) => c.state === 'down').length, p50_us: quantile(s.rtts, 0.5) })) columns[k].push(v);
    }
    return { from, columns };
  }

  function distribution(host, from, to) {
    const step = Math.max(60, Math.ceil((to - from) / 3000 / 60) * 60);
    const list = [...world.checks(host, from, Math.min(to, end()), step)];
    const { rtts } = summary(list);
    const classes = [[0, 0], [0, 20], [20, 40], [40, 60], [60, 80], [80, 95], [95, 100], [100, 100]];
    const fits = [(r) => r === 0, (r) => r > 0 && r <= 20, (r) => r > 20 && r <= 40, (r) => r > 40 && r <= 60, (r) => r > 60 && r < 80, (r) => r >= 80 && r < 95, (r) => r >= 95 && r < 100, (r) => r === 100];
    const latency = new Map();
    for (const us of rtts) {
      const n = Math.floor(Math.log2(us) * 6);
      latency.set(n, (latency.get(n) ?? 0) + 1);
    }
    return {
      rates: classes.map(([a, b], i) => ({ from: a, to: b, checks: list.filter((c) => fits[i](c.rate)).length })),
      latency: [...latency].sort((a, b) => a[0] - b[0]).map(([n, count]) => ({ from_us: Math.round(2 ** (n / 6)), to_us: Math.round(2 ** ((n + 1) / 6)), count })),
      p50_us: quantile(rtts, 0.5), p95_us: quantile(rtts, 0.95), p99_us: quantile(rtts, 0.99),
    };
  }

  /** @param {string} path without the leading slash @param {URLSearchParams} q @returns {{status: number, body: unknown}} */
  function answer(path, q) {
    const instant = (key, otherwise) => (q.has(key) ? Number(q.get(key)) || Date.parse(q.get(key)) / 1000 : otherwise);
    const to = instant('to', now());
    const from = instant('from', to - (Number(q.get('hours') ?? 24) || 4e5) * 3600);
    const address = q.get('host_address') ?? (path.startsWith('api/statistics/') ? decodeURIComponent(path.slice(15)) : null);
    const host = world.hosts.find((h) => h.address === address);
    if (address && !host) return { status: 404, body: { detail: `no host ${address}` } };
    const all = (host ? [host] : world.hosts).flatMap(events).sort((a, b) => (a.start_time < b.start_time ? 1 : -1));
    const good = (body) => ({ status: 200, body });
    if (path === 'api/status') {
      const running = mock.scenario === 'running' || mock.scenario === 'first-run';
      return good({
        hosts: world.hosts.map((h) => ({ name: h.name, address: h.address, family: 'any', interval_seconds: 60, role: h.role })), total_hosts: world.hosts.length, monitoring_interval: 60, database_path: 'connection_logs.db', version: '0.1.0', now: iso(now()),
        monitor: { running, started_at: iso(START - 4), alive_at: iso(end() || now()), stopped_at: mock.scenario === 'stopped' ? iso(stoppedAt) : null }, first_check: end() ? iso(world.first) : null, flush_seconds: 60,
      });
    }
    if (path === 'api/ping-results/latest') return good(latest());
    if (path === 'api/overview') return good(overview(Number(q.get('offset_minutes') ?? 0), Number(q.get('days') ?? 90)));
    if (path === 'api/outages/active') return good(all.filter((o) => !o.end_time));
    if (path === 'api/outages') return good(all.filter((o) => !q.has('active_only') || !o.end_time).slice(0, Number(q.get('limit') ?? 50)));
    if (path === 'api/hosts') return good(world.hosts.map((h) => ({ name: h.name, address: h.address })));
    if (!host) return { status: 404, body: { detail: 'not found' } };
    if (path === 'api/series') return good(series(host, from, to, Number(q.get('points') ?? 500)));
    if (path.startsWith('api/statistics/')) return good(statistics(host, from, to));
    if (path === 'api/distribution') return good(distribution(host, from, to));
    if (path === 'api/hours') return good(hours(host, from, to));
    if (path === 'api/ping-results') {
      const limit = Number(q.get('limit') ?? 1000);
      const rows = [];
      for (let t = Math.floor(Math.min(to, end()) / 60) * 60; t >= Math.max(from, world.first) && rows.length < limit; t -= 60) {
        const c = world.check(host, t);
        if (c) rows.push(row(host, c));
      }
      return good(rows);
    }
    return { status: 404, body: { detail: 'not found' } };
  }
  return mock;
}

/** @param {ReturnType<typeof createMock>} mock @param {number} [port] @returns {Promise<{url: string, stop: () => void}>} */
export async function serve(mock, port = 0) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const path = url.pathname.slice(1);
    /** @type {Record<string, string>} */
    const headers = { 'Content-Security-Policy': "default-src 'self'", 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer', 'X-Frame-Options': 'DENY' };
    if (mock.scenario === 'lost') return request.socket.destroy();
    const send = (status, body, type) => {
      const zipped = body.length > 500 ? gzipSync(body) : null;
      response.writeHead(status, { ...headers, 'Content-Type': type, ...(zipped ? { 'Content-Encoding': 'gzip' } : {}) });
      response.end(zipped ?? body);
    };
    if (path.startsWith('api/')) {
      const { status, body } = mock.answer(path, url.searchParams);
      headers['Cache-Control'] = 'no-store';
      if (path === 'api/ping-results/latest') {
        headers.ETag = `"${Math.floor(mock.now() / 60)}-${mock.scenario}"`;
        if (request.headers['if-none-match'] === headers.ETag) {
          response.writeHead(304, headers);
          return response.end();
        }
      }
      return send(status, Buffer.from(JSON.stringify(body)), 'application/json');
    }
    if (!/^[\w/.-]*$/.test(path) || path.includes('..')) return send(404, Buffer.from('{"detail":"not found"}'), 'application/json');
    const file = path || 'index.html';
    const body = await readFile(STATIC + file).catch(() => null);
    return body ? send(200, body, TYPES[extname(file)] ?? 'text/plain') : send(404, Buffer.from('{"detail":"not found"}'), 'application/json');
  });
  await new Promise((done) => { server.listen(port, '127.0.0.1', () => done(undefined)); });
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => { server.closeAllConnections(); server.close(); } };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(createMock({ hosts: Number(process.argv[3] ?? 13) }), Number(process.argv[2] ?? 8502));
  console.log(url);
}
