// Several hosts over each other.
import { get, isUnknown } from '../data/api.js';
import { createChart, keysHint } from '../charts/chart.js';
import { rangeControls } from '../parts/controls.js';
import { announce, button, chips, h, press, put, save, say, svg, table } from '../dom.js';
import { csv, percent, rate, usAsMs } from '../data/format.js';
import { commonBands, missedSome, nearest, slide, stepped, takeIn, track as trackOf } from '../data/series.js';
import { within } from '../data/queries.js';
import { STYLES, drawMedians, drawRates } from '../charts/overlay.js';
import { stateMark } from '../charts/shapes.js';
import { fileText, seconds, spanText } from '../data/time.js';
import { spanOf, writeView } from '../data/view.js';
import { zoomWishes } from '../charts/zoom.js';

const MOST = STYLES.length;
const POINTS = 360;

/** @param {number} i @returns {SVGSVGElement} the line's pattern */
const sample = (i) => svg('svg', { width: 26, height: 10, 'aria-hidden': 'true', class: 'sample' }, svg('path', { d: 'M0 5H26', class: `line-${STYLES[i][0]}`, 'stroke-dasharray': STYLES[i][1].join(' ') }));

/** @param {App} app */
export function comparePage(app) {
  /** @type {Line[]} */
  let lines = [];
  /** @type {Incident[]} */
  let incidents = [];
  /** @type {Gap[]} */
  let gaps = [];
  const behind = () => commonBands(lines.map((l) => l.track), incidents, gaps);
  let asked = '';
  let turn = 0;
  let picked = '';
  /** Hosts of the link that nobody has heard of. @type {string[]} */
  let strangers = [];
  const title = h('h1', { tabindex: -1 }, 'Compare');
  const controls = rangeControls(app);
  const filter = h('input', { type: 'search', placeholder: 'Find a host', 'aria-label': 'Find a host', autocomplete: 'off' });
  filter.addEventListener('input', () => drawPicker());
  const choices = h('div', { class: 'choices', role: 'group', 'aria-label': `Hosts, at most ${MOST}` });
  const rates = h('div', { class: 'readout' });
  const latencies = h('div', { class: 'readout' });
  const scales = chips('Scale of latency', [['log', 'Log'], ['linear', 'Linear']], app.view.scale, (scale) => app.go({ scale: scale === 'linear' ? 'linear' : 'log' }, true));
  const figures = h('div', null);
  const hint = h('p', { class: 'third' });
  const span = () => spanOf(app.view, app.now(), seconds(app.status?.first_check));

  /** @param {number | null} t Unix seconds */
  const read = (t) => {
    const points = lines.map(({ track }) => track.points[t === null ? track.points.length - 1 : nearest(track.points, t)]);
    const first = points.find(Boolean);
    const { from, to } = span();
    put(rates, first && h('span', { class: t === null ? 'chip pale' : 'chip' }, spanText(first.at, first.end - first.at, to - from)), ...lines.map((line, i) => h('span', { class: 'item' }, sample(i), `${line.name} `, h('b', null, `${rate(points[i]?.rate)} %`))));
    put(latencies, ...lines.map((line, i) => h('span', { class: 'item' }, sample(i), `${line.name} `, h('b', null, usAsMs(points[i]?.p50)))));
  };
  const chart = createChart('Success rate and median latency of several hosts', [
    { label: 'Success rate, %', height: 150, head: h('div', { class: 'head' }, h('h2', null, 'Success rate, %'), rates), draw: (f) => drawRates(f, lines, behind()) },
    { label: 'Median latency, ms', height: 300, head: h('div', { class: 'head' }, h('h2', null, 'Median latency, ms'), latencies, scales), draw: (f) => drawMedians(f, lines, behind(), app.view.scale === 'log') },
  ], {
    ...zoomWishes(app, span),
    point(t, spoken) {
      read(t);
      if (spoken) announce(`${rates.textContent}, ${latencies.textContent} milliseconds`);
    },
    step: (t, by) => stepped(lines[0]?.track.points ?? [], t, by),
  }, 132);
  const card = h('section', { class: 'card history', 'aria-label': 'Comparison' }, chart.element,
    keysHint());
  const element = h('div', { class: 'page' },
    h('div', { class: 'host-top' }, h('div', null, title, hint), h('div', { class: 'bar' }, controls.element, button('CSV', () => saveCsv()), button('PNG', () => savePng()))),
    h('div', { class: 'card part picker' }, h('label', { class: 'search' }, filter), choices), card, figures);

  const saveCsv = () => {
    const rows = lines.flatMap((l) => l.track.points.map((p) => [l.name, l.address, new Date(p.at * 1000).toISOString(), p.state, p.rate, p.p50]));
    save(`compare_${fileText(span().from)}.csv`, new Blob([csv(['host_name', 'host_address', 'time', 'state', 'success_rate', 'p50_us'], rows)], { type: 'text/csv' }));
  };
  const savePng = async () => save(`compare_${fileText(span().from)}.png`, await chart.picture(lines.map((l) => l.name).join(', ')));

  const drawPicker = () => {
    const words = filter.value.toLowerCase();
    const wanted = app.entries.filter((e) => app.view.hosts.includes(e.address) || `${e.name} ${e.address}`.toLowerCase().includes(words)).slice(0, 40);
    // What nobody has heard of can be taken out too.
    const unheard = app.view.hosts.filter((address) => !app.entries.some((e) => e.address === address)).map((address) => ({ address, name: address }));
    const key = `${wanted.map((e) => e.address)} ${app.view.hosts}`;
    if (key === picked) return;
    picked = key;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : '';
    put(choices, ...[...unheard, ...wanted].map((e) => {
      const on = app.view.hosts.includes(e.address);
      const full = !on && app.view.hosts.length >= MOST;
      return h('button', { type: 'button', class: 'choice', 'aria-pressed': String(on), 'data-key': e.address, disabled: full,
        onclick: () => app.go({ hosts: on ? app.view.hosts.filter((a) => a !== e.address) : [...app.view.hosts, e.address] }, true) }, e.name);
    }));
    for (const b of choices.querySelectorAll('button')) if (focused && b.dataset.key === focused) b.focus();
  };

  const drawFigures = () => {
    put(figures, lines.length > 0 && h('section', { class: 'card part full' }, h('h2', null, 'In this range'), table('Statistics of the range', [['Host'], ['State now'], ['Available, %', 'number'], ['Measured, %', 'number'], ['Success, %', 'number'], ['Median, ms', 'number'], ['p95, ms', 'number'], ['p99, ms', 'number']], lines.map((l, i) => {
      const s = l.statistics;
      return h('tr', null, h('td', null, sample(i), h('a', { href: writeView({ ...app.view, page: 'host', host: l.address }) }, l.name)), h('td', null, stateMark(app.entries.find((e) => e.address === l.address)?.state ?? 'not_measured')),
        ...[percent(s?.availability_percent), percent(s?.coverage_percent), percent(s?.total_checks ? s.avg_success_rate : null), usAsMs(s?.p50_us), usAsMs(s?.p95_us), usAsMs(s?.p99_us)].map((text) => h('td', { class: 'number' }, text)));
    }))));
  };

  const drawHint = () => {
    const unheard = strangers.filter((address) => app.view.hosts.includes(address));
    say(hint, `${app.view.hosts.length ? `${app.view.hosts.length} of at most ${MOST} hosts.` : `Choose up to ${MOST} hosts.`}${unheard.length ? ` Not known here: ${unheard.join(', ')}.` : ''}`);
  };
  const load = async () => {
    const { from, to } = span();
    turn += 1;
    const mine = turn;
    const range = within({ from, to });
    try {
      /** @type {string[]} */
      const unheard = [];
      const [found, missing, ...next] = await Promise.all([get('api/incidents', { ...range, limit: 200 }), get('api/gaps', range), ...app.view.hosts.map(async (address) => {
        const known = await Promise.all([get('api/series', { host_address: address, ...range, points: POINTS }), get(`api/statistics/${encodeURIComponent(address)}`, range)]).catch((error) => {
          // Nobody has heard of it; the others are drawn.
          if (!isUnknown(error)) throw error;
          unheard.push(address);
          return null;
        });
        if (!known) return null;
        const [series, statistics] = known;
        const entry = app.entries.find((e) => e.address === address);
        return { address, name: entry?.name ?? address, statistics, track: trackOf({ ...series, ...range }, entry?.interval ?? 60, entry?.at || 0) };
      })]);
      if (mine !== turn) return;
      lines = next.filter((line) => line !== null);
      strangers = unheard;
      drawHint();
      incidents = found;
      gaps = missing;
      card.hidden = !lines.length;
      read(null);
      chart.show(range.from, range.to);
      drawFigures();
    } catch {
      if (mine === turn) asked = '';
    }
  };
  const show = () => {
    if (!app.status) return;
    drawHint();
    controls.update(span());
    press(scales, app.view.scale);
    drawPicker();
    const key = `${app.view.hosts} ${app.view.range} ${app.view.from} ${app.view.to}`;
    if (key !== asked) {
      asked = key;
      load();
    } else chart.draw();
  };
  card.hidden = true;
  return {
    element, heading: title, title: () => 'Compare', show,
    /** @param {Row[]} rows */
    results(rows) {
      drawPicker();
      if (!span().follows) return;
      const { from, to } = span();
      const fresh = lines.flatMap((l) => rows.filter((r) => r.host_address === l.address && r.timestamp && r.state !== 'not_measured').map((r) => ({ l, r, at: seconds(r.timestamp) })));
      const missed = fresh.filter(({ l, at }) => missedSome(l.track, at, app.entries.find((e) => e.address === l.address)?.interval ?? 60));
      for (const { l, at } of missed) l.track.taken = at;
      if (missed.length) {
        load();
        return;
      }
      const changed = fresh.filter(({ l, r, at }) => takeIn(l.track, r, at));
      if (!changed.length) return;
      for (const l of lines) slide(l.track, from, to);
      chart.show(from, to);
    },
    tick: () => {
      if (!asked) show();
    },
    redraw: chart.draw,
    close() {
      turn += 1;
      chart.close();
    },
    search: () => filter.focus(),
  };
}
