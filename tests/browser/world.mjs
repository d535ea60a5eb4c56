// A made-up network of 90 days, the same at every run: checks follow from host and minute alone. See mock.mjs for its answers.

export const MINUTE = 60;
export const DAY = 86400;
/** Where the made-up time begins to run, Unix seconds: 23 November 2026, 14:35 in Berlin. */
export const START = Date.UTC(2026, 10, 23, 13, 35, 0) / 1000;

const NAMED = [
  ['Google DNS', '8.8.8.8', 11.8, 'dns'], ['Cloudflare DNS', '1.1.1.1', 9.6, 'dns'], ['Local Gateway', '192.168.1.1', 0.42, 'gateway'],
  ['Quad9 DNS', '9.9.9.9', 17.2, 'dns'], ['Office VPN', '203.0.113.40', 31.2, 'other'], ['Cloudflare DNS v6', '2606:4700:4700::1111', 10.9, 'dns'],
  ['Cable modem', '192.168.100.1', 1.1, 'other'], ['Provider, first hop', '100.64.0.1', 6.1, 'internet'], ['OpenDNS', '208.67.222.222', 14.2, 'dns'],
  ['NAS', '192.168.1.20', 0.31, 'other'], ['Access point, attic', '192.168.1.3', 1.84, 'other'], ['Mail server', 'mail.example.org', 24.6, 'internet'], ['Website', 'www.example.org', 17.2, 'internet'],
];

/** An even number of [0, 1) from three integers. */
export function chance(a, b, c) {
  let h = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 7, 0x85ebca6b) ^ Math.imul(c + 13, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 4294967296;
}

/** @param {number} count of hosts @param {{trouble?: boolean}} [options] */
export function createWorld(count, options = {}) {
  const hosts = Array.from({ length: count }, (_, i) => {
    const [name, address, latency, role] = NAMED[i] ?? [`Sensor ${i}`, `10.0.${i >> 8}.${i & 255}`, 0.5 + chance(i, 1, 1) * 40, 'other'];
    return { index: i, name, address, latency, role, interval: MINUTE };
  });
  const first = START - 90 * DAY + 7 * 3600;
  const at = (days, hours, minutes) => START - days * DAY + hours * 3600 + minutes * 60;
  // Common to all but the gateway, as a provider's faults are.
  const common = [[at(79, 4, 0), 71 * 60], [at(66, -6, 0), 352], [at(38, 4, 30), 2830], [at(1, 9, 37), 696]];
  const gaps = [[at(55, 2, 0), 1.6 * DAY], [at(1, 13, 30), 38 * 60]];
  for (const host of hosts) {
    host.outages = host.role === 'gateway' ? [] : [...common];
    const own = Math.floor(chance(host.index, 2, 2) * 4);
    for (let n = 0; n < own; n += 1) host.outages.push([at(2 + Math.floor(chance(host.index, n, 3) * 86), n, 11), 120 + Math.floor(chance(host.index, n, 4) ** 3 * 14000)]);
    if (options.trouble !== false && host.index === 4) host.outages.push([START - 14 * 60 - 12, Infinity]);
    host.degraded = [[at(1, 4, 45), 105 * 60], [at(12, 3, 0), 3 * 3600 + host.index * 600]];
    if (options.trouble !== false && host.index === 3) host.degraded.push([START - 3 * 3600, Infinity]);
    host.unmeasured = [...gaps];
    if (options.trouble !== false && host.index === 5) host.unmeasured.push([START - 5400, Infinity]);
    host.outages.sort((a, b) => a[0] - b[0]);
  }

  const within = (list, t) => list.some(([from, length]) => t >= from && t < from + length);

  const length = (list, t) => list.find(([from, seconds]) => t >= from && t < from + seconds)?.[1] ?? 0;

  /** One check, or null where none was made. @param {any} host @param {number} t Unix seconds, whole minutes */
  function check(host, t) {
    if (t < first || within(host.unmeasured, t)) return null;
    const minute = Math.floor(t / MINUTE);
    const down = within(host.outages, t);
    const slow = within(host.degraded, t);
    const lasting = length(host.degraded, t) === Infinity;
    const local = new Date((t + 3600) * 1000);
    const hour = local.getUTCHours();
    const evening = hour >= 19 && hour < 22 ? 1 : 0;
    const loss = slow ? 0.07 : 0.0006 + evening * (local.getUTCDay() % 6 === 0 ? 0.02 : 0.008);
    const base = host.latency * (1 + 0.12 * Math.sin(minute / 190 + host.index)) * (slow ? 2.6 : 1) * (1 + evening * 0.25);
    const rtts = [];
    for (let n = 0; n < 5; n += 1) {
      const r = chance(host.index, minute, n);
      if (down || (lasting ? n === minute % 5 : r < loss)) rtts.push(null);
      else {
        const spike = chance(minute, host.index, n + 40) < 0.006 ? 1 + 5 * chance(minute, n, 9) : 1;
        rtts.push(Math.max(60, Math.round(base * 1000 * spike * (0.86 + 0.3 * chance(n, minute, host.index) + 0.25 * chance(n + 9, minute, host.index) ** 4))));
      }
    }
    const got = rtts.filter((us) => us !== null);
    const rate = (100 * got.length) / 5;
    return {
      t, rtts, rate, lost: 5 - got.length, min: got.length ? Math.min(...got) : null, max: got.length ? Math.max(...got) : null,
      avg: got.length ? Math.round(got.reduce((a, b) => a + b, 0) / got.length) : null, state: rate >= 95 ? 'up' : rate >= 80 ? 'degraded' : 'down',
    };
  }

  /** Checks of a span. @param {number} from @param {number} to @param {number} [step] seconds, to look at fewer of a long one */
  function* checks(host, from, to, step = MINUTE) {
    for (let t = Math.max(first, Math.ceil(from / MINUTE) * MINUTE); t <= to; t += step) {
      const c = check(host, t);
      if (c) yield c;
    }
  }
  return { hosts, first, check, checks };
}
