// The page of one host: its state now, and charts, figures, outages and checks of a range of time.
import { distributionCard } from '../charts/distribution.js';
import { heatCard } from '../charts/heatmap.js';
import { historyCharts } from '../charts/history.js';
import { shape } from '../charts/shapes.js';
import { ApiError, get, isNotFound } from '../data/api.js';
import { CAUSE_WORDS, causeOf, isHostOutage } from '../data/cause.js';
import { sinceText } from '../data/days.js';
import { NO_VALUE, STATE_WORDS, count, csv, fileName, ms, percent, plural, usAsMs } from '../data/format.js';
import { addressText, stateSentence } from '../data/hosts.js';
import { MAX_OUTAGES, outagesQuery, reportUrl, seriesQuery, wholeSeconds } from '../data/queries.js';
import { addCheck, gapsOf, missedChecks, moveWindow, outagesWithin, timelineOf } from '../data/series.js';
import {
  DAY_SECONDS, duration, fileText, moment, offsetMinutes, rangeText, seconds, zoneText,
} from '../data/time.js';
import { spanOf, writeView } from '../data/view.js';
import { lossInterval } from '../data/week.js';
import { button, h, linkInNewTab, put, save, saveCsv, setText, updateDurations } from '../dom.js';
import { PREFETCHED_SERIES } from '../early.js';
import { checksCard } from '../parts/checks.js';
import { rangeControls } from '../parts/controls.js';
import { navigator } from '../parts/navigator.js';
import { outageTable } from '../parts/outagelist.js';

const MAX_CHECKS = 50;
const OUTAGES_SHOWN = 8;
const MIN_HEAT_DAYS = 90;
// Hours more than a year ago say little about the present.
const MAX_HEAT_DAYS = 365;
const FIGURES_EVERY_SECONDS = 60;
// If the clock was wrong by more than this, the prefetched responses are for another range.
const SAME_RANGE_SECONDS = 5;

/** The query that early.js has sent; used by the first page of a visit only. */
let prefetched = PREFETCHED_SERIES;

/** The prefetched query if it is for the same range. @param {SeriesQuery} query @returns {SeriesQuery} */
function preferPrefetched(query) {
  const early = prefetched;
  prefetched = null;
  const isSame = early && early.host_address === query.host_address
    && Math.abs(early.to - query.to) < SAME_RANGE_SECONDS && Math.abs(early.from - query.from) < SAME_RANGE_SECONDS;
  return isSame ? early : query;
}

/** Requests what the charts show. isCut: the range has more outages than were sent.
 * @param {SeriesQuery} query @param {number} now Unix seconds
 * @returns {Promise<{series: Series, outages: Outage[], gaps: Gap[], isCut: boolean}>} */
async function getHistory(query, now) {
  /** @type {[Series, Outage[], Gap[]]} */
  const [series, newest, gaps] = await Promise.all([
    get('api/series', query), get('api/outages', outagesQuery(query, now)), get('api/gaps', wholeSeconds(query)),
  ]);
  // The newest outages fill the list, and it may end before the range is reached.
  const { host_address, from, to } = query;
  /** @type {Outage[]} */
  const inRange = newest.length < MAX_OUTAGES
    ? [] : await get('api/outages', { host_address, from, to, limit: MAX_OUTAGES });
  const byId = new Map([...newest, ...inRange].map((o) => [o.id, o]));
  const isCut = inRange.length >= MAX_OUTAGES;
  return { series, outages: [...byId.values()], gaps: gapsOf(gaps, host_address), isCut };
}

/** @param {string} hint @param {string} label @param {string} value @param {string} unit */
const figure = (hint, label, value, unit) => h('div', null, h('dt', { tabindex: 0, 'data-hint': hint }, label),
  h('dd', null, value, h('span', { class: 'unit' }, value !== NO_VALUE && unit && ` ${unit}`)));

/** @param {Statistics} s @param {{count: number, seconds: number}} outages @param {boolean} isCut
 * @param {string} since when the record begins if that is within the range */
function figuresOf(s, outages, isCut, since) {
  const isKnown = s.total_checks > 0 || outages.count > 0;
  const outagesText = isKnown ? `${count(outages.count)}${isCut ? '+' : ''}` : NO_VALUE;
  return [
    figure('availability', `without an outage ${since}`.trim(), percent(s.availability_percent), '%'),
    figure('measured', `measured ${since}`.trim(), percent(s.coverage_percent), '%'),
    figure('outages', outages.count === 1 ? 'outage' : 'outages', outagesText,
      outages.count && !isCut ? `, ${duration(outages.seconds)}` : ''),
    figure('lost', `lost, ${count(s.lost)} of ${count(s.sent)}${lossInterval(s)}`, percent(s.loss_percent), '%'),
    figure('median', 'median', usAsMs(s.p50_us), 'ms'),
    figure('p95', 'p95', usAsMs(s.p95_us), 'ms'),
    figure('p99', 'p99', usAsMs(s.p99_us), 'ms'),
    figure('slowest', 'slowest', ms(s.p99_us === null ? null : s.overall_max_latency), 'ms'),
  ];
}

/** The time in which pings were lost beside outages. @param {Statistics} s */
function lossyText(s) {
  const parts = [['degraded', s.degraded_seconds], ['poor', s.poor_seconds]]
    .flatMap(([word, length]) => (length ? [`${word} for ${duration(Number(length))}`] : []));
  return parts.length ? `Outside outages it was ${parts.join(' and ')}.` : '';
}

/** @param {HostEntry | undefined} e @param {Outage | undefined} ongoing @param {number} now Unix seconds */
function stateText(e, ongoing, now) {
  if (e?.was) {
    const latency = e.latency === null ? '' : `, ${ms(e.latency)} ms`;
    return `It was ${STATE_WORDS[e.was].toLowerCase()}${latency}, ${duration(now - e.at)} ago.`;
  }
  if (e?.error) return `${e.error}.`;
  if (e?.state === 'down' && ongoing) {
    const start = seconds(ongoing.start_time);
    const cause = CAUSE_WORDS[causeOf(ongoing)];
    return `Down since ${moment(start, now)}, for ${duration(now - start)}, cause: ${cause}.`;
  }
  return e && e.latency !== null && e.state !== 'down' ? `${ms(e.latency)} ms now.` : '';
}

/** Name, state, range and links. @param {App} app @param {string} address @param {HTMLElement[]} files buttons */
function createHeader(app, address, files) {
  const mark = h('span', { class: 'verdict-shape' });
  const title = h('h1', { tabindex: -1 });
  const where = h('span', { class: 'third' }, address);
  const note = h('p', { class: 'second' });
  const crumb = h('span', null);
  const controls = rangeControls(app);
  const days = navigator(app);
  const report = linkInNewTab('Report', ' (printable, of this range, opens in a new tab)');
  const compare = h('a', { class: 'button', href: writeView({ page: 'compare', hosts: [address] }) }, 'Compare');
  const crumbs = h('nav', { class: 'crumbs third small', 'aria-label': 'Path' },
    h('a', { href: '#' }, 'Overview'), ' / ', crumb);
  const heading = h('div', { class: 'title' }, title, where);
  const element = h('div', { class: 'host-top' },
    h('div', { class: 'verdict-words' }, mark, h('div', null, crumbs, heading, note)),
    h('div', { class: 'host-controls' },
      h('div', { class: 'bar' }, controls.element, compare, report, ...files), days.element));
  return {
    element, title,
    /** @param {string} sentence @param {string} name @param {HostEntry | undefined} e @param {string} text
     * @param {TimeRange} span */
    update(sentence, name, e, text, span) {
      const state = e?.state ?? 'not_measured';
      if (e) setText(where, addressText(e));
      if (mark.dataset.state !== state) put(mark, shape(state, 24));
      mark.dataset.state = state;
      setText(crumb, name);
      setText(title, sentence);
      setText(note, text);
      controls.update(span);
      days.update(address, span.from, span.to);
      report.href = reportUrl({ from: span.from, to: Math.floor(span.to / 60) * 60 }, address);
    },
  };
}

/** @param {boolean} isMeasured whether anything was measured in the range */
const noOutage = (isMeasured) => (isMeasured ? 'No outage in this range.' : 'Nothing was measured in this range.');

/** The newest outages of the range. @param {App} app @param {string} address */
function outagesCard(app, address) {
  const total = h('span', { class: 'third small' });
  const body = h('div', null);
  return {
    element: h('section', { class: 'card part' }, h('div', { class: 'head' }, h('h2', null, 'Outages'), total), body),
    tick: () => updateDurations(body, app.now()),
    /** @param {Outage[]} outages @param {TimeRange} span @param {boolean} isCut whether there are more
     * @param {boolean} isMeasured whether anything was measured */
    show(outages, { from, to }, isCut, isMeasured) {
      const now = app.now();
      const list = outages.filter((o) => seconds(o.start_time) < to && (seconds(o.end_time) || now) > from)
        .sort((a, b) => seconds(b.start_time) - seconds(a.start_time));
      const shown = list.slice(0, OUTAGES_SHOWN);
      const least = isCut ? 'at least ' : '';
      const newest = list.length > shown.length ? `, the newest ${shown.length} of ${least}${count(list.length)}` : '';
      setText(total, `in this range${newest}`);
      put(body,
        shown.length ? outageTable(shown, now)
          : h('p', { class: 'third' }, noOutage(isMeasured)),
        h('a', { href: writeView({ page: 'outages', host: address }) }, 'All outages'));
    },
  };
}

/** @param {App} app */
export const hostPage = (app) => new HostPage(app);

class HostPage {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.address = app.view.host;
    this.header = createHeader(app, this.address, [
      button('CSV', () => this.saveCsv()), button('PNG', () => this.savePicture()),
    ]);
    this.error = h('p', { class: 'banner', hidden: true, role: 'alert' });
    this.figures = h('dl', { class: 'card stats', 'aria-label': 'Figures of this range' });
    this.history = historyCharts(app);
    this.distribution = distributionCard();
    this.heat = heatCard(app);
    this.outageCard = outagesCard(app, this.address);
    this.checks = checksCard();
    this.heading = this.header.title;
    this.element = h('div', { class: 'page' }, this.header.element, this.error, this.figures, this.history.element,
      h('div', { class: 'parts' }, this.distribution.element, this.heat.element, this.outageCard.element),
      this.checks.element);
    /** @type {Timeline | null} */
    this.timeline = null;
    /** @type {Outage[]} */
    this.outages = [];
    this.isCut = false;
    this.isUnknown = false;
    this.lossy = '';
    /** @type {Gap[]} */
    this.gaps = [];
    this.loadedKey = '';
    this.loadNumber = 0;
    this.figuresAt = 0;
    this.loadedActive = '';
  }

  entry() {
    return this.app.entries.find((e) => e.address === this.address);
  }

  title() {
    return this.isUnknown ? 'Unknown host' : (this.entry()?.name ?? this.address);
  }

  /** When the record of this host begins, as far as that is known; NaN without one. */
  first() {
    return this.entry()?.first || seconds(this.app.status?.first_check);
  }

  /** The range that is shown. */
  span() {
    return spanOf(this.app.view, this.app.now(), this.first());
  }

  rangeKey() {
    const { range, from, to } = this.app.view;
    // Once the first check is known, a range begins with it at the earliest.
    const first = this.first();
    return `${range} ${from} ${to} ${this.span().from < first + 1 ? first : ''}`;
  }

  /** Ongoing outages of this host, as a text that differs when one begins, ends, or gets another cause. */
  activeKey() {
    return this.app.active.filter((o) => o.host_address === this.address).map((o) => `${o.id} ${o.cause}`).join();
  }

  /** @param {string} text @param {string} extension */
  fileName(text, extension) {
    return `${fileName(`${this.title()}_${text}`)}.${extension}`;
  }

  saveCsv() {
    const { from, to } = this.span();
    const table = this.history.rows(this.title(), this.address);
    saveCsv(this.fileName(`${fileText(from)}_${fileText(to)}`, 'csv'), csv(...table));
  }

  async savePicture() {
    const { from, to } = this.span();
    const range = rangeText({ from, to });
    const picture = await this.history.chart.picture(`${this.title()} (${this.address}), ${range}. ${zoneText(to)}`);
    save(this.fileName(fileText(from), 'png'), picture);
  }

  async loadFigures() {
    const { from, to } = this.span();
    this.figuresAt = this.app.now();
    const number = this.loadNumber;
    const path = `api/statistics/${encodeURIComponent(this.address)}`;
    const statistics = await get(path, { from: Math.floor(from), to: Math.ceil(to) });
    if (number !== this.loadNumber) return;
    const span = this.span();
    this.lossy = lossyText(statistics);
    // A range that is cut at the begin of the record says so.
    const first = this.entry()?.first ?? NaN;
    const since = first < span.to ? sinceText('', span.from - 1, first, this.app.now()) : '';
    put(this.figures, ...figuresOf(statistics, outagesWithin(this.outages, span.from, span.to), this.isCut, since));
  }

  /** @param {boolean} isBackground whether the page stays undimmed until the responses arrive */
  async load(isBackground) {
    const query = preferPrefetched(seriesQuery(this.address, this.span(), this.element.clientWidth));
    this.loadNumber += 1;
    const number = this.loadNumber;
    this.element.classList.toggle('loading', !isBackground);
    const newestAt = this.entry()?.at || 0;
    try {
      const history = await getHistory(query, this.app.now());
      if (number !== this.loadNumber) return;
      Object.assign(this, { outages: history.outages, gaps: history.gaps, isCut: history.isCut });
      this.loadedActive = this.activeKey();
      const series = { ...history.series, from: query.from, to: query.to };
      this.timeline = timelineOf(series, this.entry()?.interval ?? 60, newestAt, this.first(), this.app.now());
      this.history.show(this.timeline, this.outages, this.gaps, this.isCut);
      this.element.classList.remove('loading');
      this.error.hidden = true;
      this.figures.hidden = false;
      this.outageCard.show(this.outages, query, this.isCut, this.timeline.points.length > 0);
      await this.loadCards({ host_address: this.address, from: query.from, to: query.to }, number);
    } catch (error) {
      if (number === this.loadNumber) this.showError(error);
    }
  }

  /** @param {{host_address: string, from: number, to: number}} range @param {number} number of the load */
  async loadCards(range, number) {
    const { from, to } = range;
    const heatFrom = Math.max(to - MAX_HEAT_DAYS * DAY_SECONDS, Math.min(from, to - MIN_HEAT_DAYS * DAY_SECONDS));
    const isCurrent = () => number === this.loadNumber;
    // If one request fails, the cards of the others are still shown.
    const results = await Promise.allSettled([
      this.loadFigures(),
      get('api/distribution', range).then((d) => isCurrent() && this.distribution.show(d)),
      get('api/hours', { ...range, from: heatFrom, offset_minutes: offsetMinutes(to) })
        .then((hours) => isCurrent() && this.heat.show(hours, { from: heatFrom, to }, range)),
      get('api/ping-results', { ...range, limit: MAX_CHECKS })
        .then((rows) => isCurrent() && this.checks.show(rows, this.app.now())),
    ]);
    if (!isCurrent()) return;
    this.update();
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** @param {unknown} error */
  showError(error) {
    this.element.classList.remove('loading');
    // Without a server the state of the connection says so, and the next tick tries again.
    this.loadedKey = '';
    if (!(error instanceof ApiError)) return;
    this.isUnknown = isNotFound(error);
    this.element.classList.toggle('unknown', this.isUnknown);
    put(this.error, ...(this.isUnknown
      ? ['It was never recorded and is not configured. ', h('a', { href: '#' }, 'All hosts')]
      : [`The server refused: ${error.message}`]));
    this.update();
    this.error.hidden = false;
    this.loadedKey = this.rangeKey();
  }

  update() {
    const e = this.entry();
    const now = this.app.now();
    const span = this.span();
    if (this.isUnknown && e) {
      // It was added to the configuration meanwhile.
      this.isUnknown = false;
      this.element.classList.remove('unknown');
      this.loadedKey = '';
    }
    const ongoing = this.app.active.find((o) => o.host_address === this.address && isHostOutage(o));
    const parts = [stateText(e, ongoing, now)];
    if (this.timeline) {
      const found = outagesWithin(this.outages, span.from, span.to);
      const least = this.isCut ? 'At least ' : '';
      const sum = `${least}${plural(found.count, 'outage')} in this range, ${duration(found.seconds)} in all.`;
      parts.push(found.count ? sum : noOutage(this.timeline.points.length > 0));
      parts.push(this.lossy);
    }
    const title = this.title();
    const sentence = this.isUnknown ? `${this.address} is not known here` : stateSentence(title, e);
    this.header.update(sentence, title, e, this.isUnknown ? '' : parts.filter(Boolean).join(' '), span);
  }

  show() {
    if (!this.app.status) return;
    this.update();
    this.heat.redraw();
    if (this.loadedKey !== this.rangeKey()) {
      this.loadedKey = this.rangeKey();
      this.load(false);
    } else if (this.timeline && this.span().follows && this.loadedActive !== this.activeKey()) {
      // An outage has begun, ended, or got another cause.
      this.loadedActive = this.activeKey();
      this.load(true);
    } else if (this.timeline) this.history.show(this.timeline, this.outages, this.gaps, this.isCut);
  }

  /** @param {CheckResult[]} results */
  results(results) {
    const { timeline } = this;
    const result = results.find((r) => r.host_address === this.address);
    this.update();
    if (!result || !result.timestamp || !timeline) return;
    if (!this.span().follows || result.state === 'not_measured') return;
    const at = seconds(result.timestamp);
    if (missedChecks(timeline, at, this.entry()?.interval ?? 60)) {
      timeline.newestAt = at;
      this.load(true);
      return;
    }
    if (!addCheck(timeline, result, at)) return;
    moveWindow(timeline, this.span().from, this.span().to);
    this.history.show(timeline, this.outages, this.gaps, this.isCut);
    this.checks.add(result, this.app.now());
    if (this.app.now() - this.figuresAt >= FIGURES_EVERY_SECONDS) this.loadFigures().catch(() => {});
  }

  tick() {
    this.update();
    this.outageCard.tick();
    if (this.loadedKey === this.rangeKey()) return;
    this.loadedKey = this.rangeKey();
    this.load(true);
  }

  redraw() {
    this.history.chart.draw();
  }

  printed() {
    return `Range: ${rangeText(this.span())}.`;
  }

  close() {
    this.loadNumber += 1;
    this.history.chart.close();
  }

  search() {}
}
