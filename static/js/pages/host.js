// The page of one host: what it is now, and everything known of a range of time.
import { Refused, get, isUnknown } from '../data/api.js';
import { FIRST_SERIES } from '../early.js';
import { CAUSE_WORDS, causeOf, isOfHost } from '../data/cause.js';
import { checksCard } from '../parts/checks.js';
import { rangeControls } from '../parts/controls.js';
import { distributionCard } from '../charts/distribution.js';
import { button, h, newTab, put, save, say, tickAges } from '../dom.js';
import { NOTHING, WORDS, csv, ms, percent, plural, usAsMs } from '../data/format.js';
import { heatCard } from '../charts/heatmap.js';
import { historyCharts } from '../charts/history.js';
import { navigator } from '../parts/navigator.js';
import { MOST_OUTAGES, outagesQuery, reportUrl, seriesQuery, within } from '../data/queries.js';
import { outageSum, outageTable } from '../parts/outagelist.js';
import { missedSome, outagesWithin, slide, takeIn, track as trackOf } from '../data/series.js';
import { shape } from '../charts/shapes.js';
import { DAY_SECONDS, clock, day, duration, fileText, moment, seconds, zoneText } from '../data/time.js';
import { spanOf } from '../data/view.js';

const CHECKS = 50;
const OUTAGE_DAYS = 90;
const HEAT_DAYS = 365;
const FIGURES_EVERY_SECONDS = 60;
// A clock further off than this makes what was asked by it useless.
const SAME_SECONDS = 5;

/** What was asked for before this page was there; only the first host's page of a visit can use it. */
let asking = FIRST_SERIES;

/** @param {string} label @param {string} value @param {string} unit */
const figure = (label, value, unit) => h('div', null, h('dt', null, label), h('dd', null, value, h('span', { class: 'unit' }, value !== NOTHING && unit && ` ${unit}`)));

/** @param {App} app */
export function hostPage(app) {
  const address = app.view.host;
  const entry = () => app.entries.find((e) => e.address === address);
  const name = () => entry()?.name ?? address;
  const mark = h('span', { class: 'verdict-shape' });
  const title = h('h1', { tabindex: -1 });
  const note = h('p', { class: 'second' });
  const crumb = h('span', null);
  const figures = h('dl', { class: 'card stats' });
  const history = historyCharts(app);
  const controls = rangeControls(app);
  const days = navigator(app);
  const distribution = distributionCard();
  const heat = heatCard(app);
  const checks = checksCard();
  const outageHead = h('span', { class: 'third small' });
  const outageBody = h('div', null);
  const wrong = h('p', { class: 'banner', hidden: true, role: 'alert' });
  const report = newTab('Report', ' (printable, of this range, opens in a new tab)');
  const compare = h('a', { class: 'button' }, 'Compare');
  const element = h('div', { class: 'page' },
    h('div', { class: 'host-top' },
      h('div', { class: 'verdict-words' }, mark, h('div', null, h('nav', { class: 'crumbs third small', 'aria-label': 'Path' }, h('a', { href: '#' }, 'Overview'), ' / ', crumb), h('div', { class: 'title' }, title, h('span', { class: 'third' }, address)), note)),
      h('div', { class: 'host-controls' }, h('div', { class: 'bar' }, controls.element, compare, report, button('CSV', () => saveCsv()), button('PNG', () => savePng())), days.element)),
    wrong, figures, history.element,
    h('div', { class: 'parts' }, distribution.element, heat.element, h('section', { class: 'card part' }, h('div', { class: 'head' }, h('h2', null, 'Outages'), outageHead), outageBody)),
    checks.element);

  /** @type {Track | null} */
  let track = null;
  /** @type {Outage[]} */
  let outages = [];
  /** Whether the range has more outages than are told. */
  let isCut = false;
  /** @type {Gap[]} */
  let gaps = [];
  let asked = '';
  let turn = 0;
  let figuresAt = 0;
  let active = '';
  const activeNow = () => app.active.filter((o) => o.host_address === address).map((o) => `${o.id} ${o.cause}`).join();

  const ongoing = () => app.active.find((o) => o.host_address === address && isOfHost(o));
  const span = () => spanOf(app.view, app.now(), seconds(app.status?.first_check));

  const saveCsv = () => save(`${name()}_${fileText(span().from)}_${fileText(span().to)}.csv`.replace(/[^\w.-]+/g, '-'), new Blob([csv(...history.rows())], { type: 'text/csv' }));
  const savePng = async () => {
    const { from, to } = span();
    const blob = await history.chart.picture(`${name()} (${address}), ${day(from)} ${clock(from)} to ${day(to)} ${clock(to)}. ${zoneText(to)}`);
    save(`${name()}_${fileText(from)}.png`.replace(/[^\w.-]+/g, '-'), blob);
  };

  const figuresOf = async () => {
    const { from, to } = span();
    figuresAt = app.now();
    const mine = turn;
    const s = await get(`api/statistics/${encodeURIComponent(address)}`, { from: Math.floor(from), to: Math.ceil(to) });
    if (mine === turn) drawFigures(/** @type {Statistics} */ (s));
  };
  /** @param {Statistics} s */
  const drawFigures = (s) => {
    const { from, to } = span();
    const found = outagesWithin(outages, from, to);
    put(figures, figure('available', percent(s.availability_percent), '%'), figure('measured', percent(s.coverage_percent), '%'),
      figure(found.count === 1 ? 'outage' : 'outages', `${found.count}${isCut ? '+' : ''}`, found.count && !isCut ? duration(found.seconds) : ''), figure('success rate', percent(s.total_checks ? s.avg_success_rate : null), '%'),
      figure('median', usAsMs(s.p50_us), 'ms'), figure('p95', usAsMs(s.p95_us), 'ms'), figure('p99', usAsMs(s.p99_us), 'ms'),
      s.mdev_us === null || s.mdev_us === undefined ? figure('slowest', ms(s.p99_us === null ? null : s.overall_max_latency), 'ms') : figure('deviation', usAsMs(s.mdev_us), 'ms'));
  };

  /** @param {boolean} quiet the page stays as it is until the answers are there */
  const load = async (quiet) => {
    const early = asking;
    asking = null;
    const wanted = seriesQuery(address, span(), element.clientWidth);
    const isSame = early && early.host_address === address && Math.abs(early.to - wanted.to) < SAME_SECONDS && Math.abs(early.from - wanted.from) < SAME_SECONDS;
    const query = isSame ? early : wanted;
    const range = { host_address: address, from: query.from, to: query.to };
    turn += 1;
    const mine = turn;
    element.classList.toggle('loading', !quiet);
    const known = entry()?.at || 0;
    // The week's hours are told for a year at the most; more would blur what they say.
    const heatFrom = Math.max(range.to - HEAT_DAYS * DAY_SECONDS, Math.min(range.from, range.to - 90 * DAY_SECONDS));
    try {
      const [series, events, missing] = await Promise.all([get('api/series', query), /** @type {Promise<Outage[]>} */ (get('api/outages', outagesQuery(query, app.now()))), get('api/gaps', within(query))]);
      if (mine !== turn) return;
      // A full list may end before the range is reached.
      const inRange = events.length < MOST_OUTAGES ? [] : /** @type {Outage[]} */ (await get('api/outages', { ...range, limit: MOST_OUTAGES }));
      if (mine !== turn) return;
      isCut = inRange.length >= MOST_OUTAGES;
      outages = [...new Map([...events, ...inRange].map((o) => [o.id, o])).values()];
      gaps = missing;
      active = activeNow();
      track = trackOf({ ...series, ...range }, entry()?.interval ?? 60, known);
      history.show(track, outages, gaps);
      element.classList.remove('loading');
      wrong.hidden = true;
      figures.hidden = false;
      drawOutages();
      // One that is refused leaves the others whole.
      const parts = await Promise.allSettled([figuresOf(),
        get('api/distribution', range).then((spread) => mine === turn && distribution.show(spread)),
        get('api/hours', { ...range, from: heatFrom }).then((hours) => mine === turn && heat.show(hours, range.to - heatFrom, heatFrom > range.from)),
        get('api/ping-results', { ...range, limit: CHECKS }).then((rows) => mine === turn && checks.show(rows, app.now()))]);
      if (mine !== turn) return;
      update();
      for (const part of parts) if (part.status === 'rejected') throw part.reason;
    } catch (error) {
      if (mine !== turn) return;
      element.classList.remove('loading');
      // A lost server is said by the live mark; asking again is up to it.
      asked = '';
      if (!(error instanceof Refused)) return;
      put(wrong, isUnknown(error) ? `No host with the address ${address} is known here.` : `The server refused: ${error.message}`);
      figures.hidden = isUnknown(error);
      wrong.hidden = false;
      asked = key();
    }
  };
  const drawOutages = () => {
    const recent = outages.filter((o) => app.now() - seconds(o.start_time) < OUTAGE_DAYS * DAY_SECONDS);
    say(outageHead, `${outageSum(recent, app.now(), OUTAGE_DAYS)}${recent.length >= MOST_OUTAGES ? ', only the newest' : ''}`);
    put(outageBody, recent.length ? outageTable(recent.slice(0, 8), app.now(), false) : h('p', { class: 'third' }, 'No outage.'), recent.length > 8 && h('a', { href: `#page=outages&host=${encodeURIComponent(address)}` }, `All ${recent.length}`));
  };
  const key = () => `${app.view.range} ${app.view.from} ${app.view.to}`;

  const update = () => {
    const e = entry();
    const state = e?.state ?? 'not_measured';
    if (mark.dataset.state !== state) put(mark, shape(state, 24));
    mark.dataset.state = state;
    say(crumb, name());
    say(title, `${name()} is ${WORDS[state].toLowerCase()}`);
    const parts = [];
    const down = ongoing();
    if (e?.was) parts.push(`It was ${WORDS[e.was].toLowerCase()}${e.latency === null ? '' : `, ${ms(e.latency)} ms`}, ${duration(app.now() - e.at)} ago.`);
    else if (e?.error) parts.push(`${e.error}.`);
    else if (state === 'down' && down) parts.push(`Down since ${moment(seconds(down.start_time), app.now())}, for ${duration(app.now() - seconds(down.start_time))}, cause: ${CAUSE_WORDS[causeOf(down)]}.`);
    else if (e && e.latency !== null && state !== 'down') parts.push(`${ms(e.latency)} ms now.`);
    const { from, to } = span();
    if (track) {
      const found = outagesWithin(outages, from, to);
      parts.push(found.count ? `${isCut ? 'At least ' : ''}${plural(found.count, 'outage')} of ${duration(found.seconds)} in this range.` : 'No outage in this range.');
    }
    say(note, parts.join(' '));
    controls.update({ from, to });
    days.update(address, from, to);
    report.href = reportUrl({ from, to: Math.floor(to / 60) * 60 }, address);
    compare.setAttribute('href', `#page=compare&hosts=${encodeURIComponent(address)}`);
  };

  return {
    element, heading: title, title: () => name(),
    show() {
      if (!app.status) return;
      update();
      heat.redraw();
      if (asked !== key()) {
        asked = key();
        load(false);
      } else if (track && span().follows && active !== activeNow()) {
        // An outage has begun or ended: its events have changed.
        active = activeNow();
        load(true);
      } else if (track) history.show(track, outages, gaps);
    },
    /** @param {Row[]} rows */
    results(rows) {
      const row = rows.find((r) => r.host_address === address);
      update();
      if (!row || !row.timestamp || !track || !span().follows || row.state === 'not_measured') return;
      const at = seconds(row.timestamp);
      if (missedSome(track, at, entry()?.interval ?? 60)) {
        track.taken = at;
        load(true);
        return;
      }
      if (!takeIn(track, row, at)) return;
      slide(track, span().from, span().to);
      history.show(track, outages, gaps);
      checks.add(row, app.now());
      if (app.now() - figuresAt >= FIGURES_EVERY_SECONDS) figuresOf().catch(() => {});
    },
    tick() {
      update();
      tickAges(outageBody, app.now());
      if (asked !== key()) {
        asked = key();
        load(true);
      }
    },
    redraw: () => history.chart.draw(),
    close() {
      turn += 1;
      history.chart.close();
    },
    search: () => {},
  };
}
