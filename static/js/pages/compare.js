// The page that compares hosts: their success rates and latencies in the same charts.
import { createChart, keysHint, scaleChips } from '../charts/chart.js';
import { LINE_STYLES, drawMedians, drawRates } from '../charts/overlay.js';
import { stateMark } from '../charts/shapes.js';
import { zoomActions } from '../charts/zoom.js';
import { get, isNotFound } from '../data/api.js';
import { sinceText } from '../data/days.js';
import { csv, percent, plural, rate, usAsMs } from '../data/format.js';
import { choicesOf, stateText } from '../data/hosts.js';
import { wholeSeconds } from '../data/queries.js';
import { addCheck, commonBands, missedChecks, moveWindow, nearestPoint, stepTime, timelineOf } from '../data/series.js';
import { fileText, rangeText, seconds, spanText } from '../data/time.js';
import { spanOf, writeView } from '../data/view.js';
import {
  announce, button, explained, h, put, save, saveCsv, setPressed, setText, spokenText, svg, table,
} from '../dom.js';
import { rangeControls } from '../parts/controls.js';

const MAX_HOSTS = LINE_STYLES.length;
const MAX_CHOICES = 40;
const MAX_INCIDENTS = 200;
const POINTS = 360;
// Pixels at the right of the charts, for the hosts' names.
const NAMES_WIDTH = 132;

/** @type {[string, string][]} hint and text */
const FIGURES = [
  ['availability', 'Available, %'], ['measured', 'Measured, %'], ['success', 'Success, %'],
  ['median', 'Median, ms'], ['p95', 'p95, ms'], ['p99', 'p99, ms'],
];
/** @returns {[string | HTMLElement, string?][]} text and class */
const figureHeads = () => [
  ['Host'], [explained('c-state', 'State now')],
  ...FIGURES.map(([hint, text]) => /** @type {[HTMLElement, string]} */ ([explained(hint, text), 'number'])),
];

/** A sample of a host's line. @param {number} i */
function lineSample(i) {
  const [colour, dash] = LINE_STYLES[i];
  return svg('svg', { width: 26, height: 10, 'aria-hidden': 'true', class: 'sample' },
    svg('path', { d: 'M0 5H26', class: `line-${colour}`, 'stroke-dasharray': dash.join(' ') }));
}

/** @param {Statistics | null} s */
function figuresOf(s) {
  return [
    percent(s?.availability_percent), percent(s?.coverage_percent),
    percent(s?.total_checks ? s.avg_success_rate : null),
    usAsMs(s?.p50_us), usAsMs(s?.p95_us), usAsMs(s?.p99_us),
  ];
}

/** The buttons that choose the hosts. @param {App} app */
function createPicker(app) {
  let drawn = '';
  const filter = h('input', {
    type: 'search', placeholder: 'Find a host', 'aria-label': 'Find a host', autocomplete: 'off',
  });
  const choices = h('div', { class: 'choices', role: 'group', 'aria-label': `Hosts, at most ${MAX_HOSTS}` });
  const rest = h('p', { class: 'third small', role: 'status' });
  /** @param {{address: string, name: string}} host */
  const choice = ({ address, name }) => {
    const chosen = app.view.hosts;
    const isChosen = chosen.includes(address);
    return h('button', {
      type: 'button', class: 'choice', 'aria-pressed': String(isChosen), 'data-key': address,
      disabled: !isChosen && chosen.length >= MAX_HOSTS, title: `${name}, ${address}`,
      onclick: () => app.go({ hosts: isChosen ? chosen.filter((a) => a !== address) : [...chosen, address] }, true),
    }, name);
  };
  const update = () => {
    const { shown, left } = choicesOf(app.entries, filter.value, app.view.hosts, MAX_CHOICES);
    const key = `${shown.map((e) => e.address)} ${left} ${app.view.hosts}`;
    if (key === drawn) return;
    drawn = key;
    // An unknown host of the URL is listed too, so that it can be removed.
    const unknown = app.view.hosts.filter((address) => !app.entries.some((e) => e.address === address))
      .map((address) => ({ address, name: address }));
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.key : '';
    put(choices, ...[...unknown, ...shown].map(choice));
    setText(rest, left ? `${plural(left, 'more host')}: type a part of the name or of the address.`
      : shown.length + unknown.length ? '' : `No host matches “${filter.value}”.`);
    for (const b of choices.querySelectorAll('button')) if (focused && b.dataset.key === focused) b.focus();
  };
  filter.addEventListener('input', update);
  return {
    element: h('div', { class: 'card part picker' }, h('label', { class: 'search' }, filter), choices, rest),
    update,
    focus: () => filter.focus(),
  };
}

/** @param {App} app */
export const comparePage = (app) => new ComparePage(app);

class ComparePage {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** @type {ComparedHost[]} */
    this.hosts = [];
    /** @type {string[]} addresses in the URL that the server does not know */
    this.unknown = [];
    /** @type {Incident[]} */
    this.incidents = [];
    /** @type {Gap[]} */
    this.gaps = [];
    this.loadedKey = '';
    this.loadNumber = 0;
    this.heading = h('h1', { tabindex: -1 }, 'Compare');
    this.hint = h('p', { class: 'third' });
    this.controls = rangeControls(app);
    this.picker = createPicker(app);
    this.rates = h('div', { class: 'readout' });
    this.latencies = h('div', { class: 'readout' });
    this.scales = scaleChips(app);
    this.chart = this.createChart();
    this.card = h('section', { class: 'card history', 'aria-label': 'Comparison', hidden: true },
      this.chart.element, keysHint());
    this.figures = h('div', null);
    this.element = h('div', { class: 'page' },
      h('div', { class: 'host-top' }, h('div', null, this.heading, this.hint),
        h('div', { class: 'bar' }, this.controls.element,
          button('CSV', () => this.saveCsv()), button('PNG', () => this.savePicture()))),
      this.picker.element, this.card, this.figures);
  }

  createChart() {
    const bands = () => commonBands(this.hosts.map((host) => host.timeline), this.incidents, this.gaps);
    /** @param {string} hint @param {string} title @param {...HTMLElement} more */
    const head = (hint, title, ...more) =>
      h('div', { class: 'head' }, h('h2', null, explained(hint, title)), ...more);
    /** @type {Pane[]} */
    const panes = [
      {
        label: 'Success rate, %',
        height: 150,
        head: head('rate', 'Success rate, %', this.rates),
        draw: (f) => drawRates(f, this.hosts, bands()),
      },
      {
        label: 'Median latency, ms',
        height: 300,
        head: head('median', 'Median latency, ms', this.latencies, this.scales),
        draw: (f) => drawMedians(f, this.hosts, bands(), this.app.view.scale === 'log'),
      },
    ];
    return createChart('Success rate and median latency of several hosts', panes, {
      ...zoomActions(this.app, () => this.span()),
      point: (t, isSpoken) => {
        this.read(t);
        if (isSpoken) announce(`${spokenText(this.rates)}, ${spokenText(this.latencies)} milliseconds`);
      },
      step: (t, by) => stepTime(this.hosts[0]?.timeline.points ?? [], t, by),
    }, NAMES_WIDTH);
  }

  title() {
    return 'Compare';
  }

  /** The range that is shown. */
  span() {
    return spanOf(this.app.view, this.app.now(), seconds(this.app.status?.first_check));
  }

  /** @param {string} address */
  entry(address) {
    return this.app.entries.find((e) => e.address === address);
  }

  /** Shows the values of one time above the charts. @param {number | null} t Unix seconds, null for the newest */
  read(t) {
    const points = this.hosts.map(({ timeline }) => {
      const all = timeline.points;
      return all[t === null ? all.length - 1 : nearestPoint(all, t)];
    });
    const first = points.find(Boolean);
    const when = first && h('span', { class: t === null ? 'chip pale' : 'chip' },
      spanText(first.at, first.end - first.at, this.span()));
    /** @param {(p: Point | undefined) => string} valueOf */
    const items = (valueOf) => this.hosts.map((host, i) =>
      h('span', { class: 'item' }, lineSample(i), `${host.name} `, h('b', null, valueOf(points[i]))));
    put(this.rates, when, ...items((p) => `${rate(p?.rate)} %`));
    put(this.latencies, ...items((p) => usAsMs(p?.p50)));
  }

  saveCsv() {
    const rows = this.hosts.flatMap(({ name, address, timeline }) => timeline.points.map((p) =>
      [name, address, new Date(p.at * 1000).toISOString(), p.state, p.rate, p.p50]));
    const head = ['host_name', 'host_address', 'time', 'state', 'success_rate', 'p50_us'];
    saveCsv(`compare_${fileText(this.span().from)}.csv`, csv(head, rows));
  }

  async savePicture() {
    const picture = await this.chart.picture(this.hosts.map((host) => host.name).join(', '));
    save(`compare_${fileText(this.span().from)}.png`, picture);
  }

  drawFigures() {
    const rows = this.hosts.map(({ address, name, statistics }, i) => {
      const href = writeView({ ...this.app.view, page: 'host', host: address });
      const e = this.entry(address);
      const since = sinceText('', this.span().from - 1, e?.first ?? NaN, this.app.now());
      return h('tr', null,
        h('td', null, lineSample(i), h('a', { href }, name), ' ', h('span', { class: 'third' }, since)),
        h('td', null, stateMark(e?.state ?? 'not_measured', e && stateText(e))),
        ...figuresOf(statistics).map((text) => h('td', { class: 'number' }, text)));
    });
    put(this.figures, rows.length > 0 && h('section', { class: 'card part full' },
      h('h2', null, 'In this range'), table('Statistics of the range', figureHeads(), rows)));
  }

  drawHint() {
    const { hosts } = this.app.view;
    const unknown = this.unknown.filter((address) => hosts.includes(address));
    const chosen = `${plural(hosts.length, 'host')} chosen, at most ${MAX_HOSTS}.`;
    const count = hosts.length ? chosen : `Choose up to ${MAX_HOSTS} hosts.`;
    setText(this.hint, `${count}${unknown.length ? ` Not known here: ${unknown.join(', ')}.` : ''}`);
  }

  /** @param {string} address @param {Record<string, number>} range
   * @returns {Promise<ComparedHost | string>} the address if the server does not know the host */
  async loadHost(address, range) {
    try {
      const [series, statistics] = await Promise.all([
        get('api/series', { host_address: address, ...range, points: POINTS }),
        get(`api/statistics/${encodeURIComponent(address)}`, range),
      ]);
      const entry = this.entry(address);
      const first = entry?.first || seconds(this.app.status?.first_check);
      const now = this.app.now();
      const timeline = timelineOf({ ...series, ...range }, entry?.interval ?? 60, entry?.at || 0, first, now);
      return { address, name: entry?.name ?? address, statistics, timeline };
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return address;
    }
  }

  async load() {
    this.loadNumber += 1;
    const number = this.loadNumber;
    const range = wholeSeconds(this.span());
    try {
      const [incidents, gaps, ...hosts] = await Promise.all([
        get('api/incidents', { ...range, limit: MAX_INCIDENTS }),
        get('api/gaps', range),
        ...this.app.view.hosts.map((address) => this.loadHost(address, range)),
      ]);
      if (number !== this.loadNumber) return;
      this.hosts = hosts.filter((host) => typeof host !== 'string');
      this.unknown = hosts.filter((host) => typeof host === 'string');
      this.incidents = incidents;
      this.gaps = gaps.filter((/** @type {Gap} */ g) => !g.host_address);
      this.drawHint();
      this.card.hidden = !this.hosts.length;
      this.read(null);
      this.chart.show(range.from, range.to);
      this.drawFigures();
    } catch {
      if (number === this.loadNumber) this.loadedKey = '';
    }
  }

  show() {
    if (!this.app.status) return;
    this.drawHint();
    this.controls.update(this.span());
    setPressed(this.scales, this.app.view.scale);
    this.picker.update();
    const { hosts, range, from, to } = this.app.view;
    const key = `${hosts} ${range} ${from} ${to}`;
    if (key === this.loadedKey) this.chart.draw();
    else {
      this.loadedKey = key;
      this.load();
    }
  }

  /** @param {CheckResult[]} results */
  results(results) {
    this.picker.update();
    const { from, to, follows } = this.span();
    if (!follows) return;
    const fresh = this.hosts.flatMap(({ address, timeline }) => {
      const interval = this.entry(address)?.interval ?? 60;
      return results
        .filter((r) => r.host_address === address && r.timestamp && r.state !== 'not_measured')
        .map((result) => ({ timeline, result, interval, at: seconds(result.timestamp) }));
    });
    const missed = fresh.filter(({ timeline, at, interval }) => missedChecks(timeline, at, interval));
    for (const { timeline, at } of missed) timeline.newestAt = at;
    if (missed.length) {
      this.load();
      return;
    }
    const added = fresh.filter(({ timeline, result, at }) => addCheck(timeline, result, at));
    if (!added.length) return;
    for (const { timeline } of this.hosts) moveWindow(timeline, from, to);
    this.chart.show(from, to);
  }

  tick() {
    if (!this.loadedKey) this.show();
  }

  redraw() {
    this.chart.draw();
  }

  printed() {
    return `Range: ${rangeText(this.span())}.`;
  }

  close() {
    this.loadNumber += 1;
    this.chart.close();
  }

  search() {
    this.picker.focus();
  }
}
