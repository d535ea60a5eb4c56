// The first page: the verdict, what most hosts saw in 90 days, the path to the hosts, and the table of hosts.
import { shape, strip } from '../charts/shapes.js';
import { CAUSE_LETTERS, CAUSE_WORDS } from '../data/cause.js';
import {
  availability, barHeight, coverage, dayBars, dayStart, lastDays, mostHosts, rangeLabels,
} from '../data/days.js';
import { NO_VALUE, STATE_WORDS, csv, percent } from '../data/format.js';
import { WORST_FIRST, countStates, filterAndSort, stateLabel } from '../data/hosts.js';
import { reportUrl } from '../data/queries.js';
import { DAY_SECONDS, fileText, month, seconds, startOfDay } from '../data/time.js';
import { verdict } from '../data/verdict.js';
import { button, chips, h, linkInNewTab, put, saveCsv, setPressed, setText, whenReached } from '../dom.js';
import { hostTable } from '../parts/hosttable.js';
import { pathFigure } from '../parts/path.js';

/** @type {[string, string][]} key and text */
const SORTS = [
  ['trouble', 'Sort: worst first'],
  ['name', 'Sort: name'],
  ['latency', 'Sort: slowest first'],
  ['availability', 'Sort: least available'],
  ['coverage', 'Sort: least measured'],
];
const LEGEND = [
  ['up', 'up'], ['degraded', 'degraded'], ['poor', 'poor'], ['down', 'outage'], ['not_measured', 'not measured'],
];
const STRIP_HEIGHT = 56;
/** More do not fit on the screen of a wall, where nobody scrolls. */
const WALL_ROWS = 60;
const MEASURED = 'measured, 90\u00a0d';
const CSV_HEAD = [
  'host_name', 'host_address', 'state', 'avg_latency_ms', 'p95_us_24_hours', 'availability_percent', 'coverage_percent',
  'newest_check',
];

/** @param {HostEntry} e */
const csvRow = (e) => [
  e.name, e.address, e.state, e.latency, e.lastDay?.p95_us, e.availability, e.coverage,
  Number.isNaN(e.at) ? null : new Date(e.at * 1000).toISOString(),
];

/** @param {number | null} share @param {number} [digits] */
const percentText = (share, digits) => (share === null ? NO_VALUE : `${percent(share, digits)} %`);

/** Names of months, each under its first day. @param {string} firstDay @param {number} days */
function monthMarks(firstDay, days) {
  const marks = [];
  // Not under the last four days, where "today" is written.
  for (let i = 0; i < days - 4; i += 1) {
    const t = dayStart(firstDay, i);
    if (new Date(t * 1000).getDate() !== 1) continue;
    const mark = h('span', null, month(t));
    mark.style.left = `${(100 * i) / days}%`;
    marks.push(mark);
  }
  return marks;
}

/** The letter of a day's cause, above its bar. @param {LineShares} line @param {DayBars} bars */
function letterMarks(line, bars) {
  return line.days.map((letter, i) => {
    if (!letter) return null;
    const mark = h('span', { class: bars.kinds[i] === 'down' ? 'text-down' : 'second' }, letter);
    mark.style.left = `${(100 * (i + 0.4)) / line.days.length}%`;
    // A letter is wider than its bar.
    const heights = [i - 1, i, i + 1].filter((k) => bars.kinds[k]).map((k) => barHeight(bars.kinds[k], bars.down[k]));
    mark.style.bottom = `${Math.round(Math.max(...heights) * STRIP_HEIGHT)}px`;
    return mark;
  });
}

/** "cause: G gateway, P provider", of the letters that occur. @param {LineShares} line */
function letterKey(line) {
  const used = Object.keys(CAUSE_LETTERS).filter((letter) => line.days.includes(letter));
  const keys = used.flatMap((letter) =>
    [' ', h('b', null, letter), ` ${CAUSE_WORDS[CAUSE_LETTERS[letter]]}`]);
  return used.length > 0 && h('span', { class: 'causes' }, 'cause:', ...keys);
}

/** @param {Overview} overview @returns {string[]} availability in 24 hours, 7 and 90 days, and the measured share */
function figuresOf(overview) {
  const hosts = overview.hosts.filter((o) => o.configured);
  const spans = [hosts.map((o) => o.last_day), ...[7, 90].map((days) => hosts.flatMap((o) => lastDays(o.days, days)))];
  const begin = dayStart(overview.first_day, 0);
  return [...spans.map((span) => percentText(availability(span))),
    percentText(coverage(hosts, begin, seconds(overview.now)), 1)];
}

/** The labels of these figures: null for one that would repeat another. @param {Overview} overview */
function labelsOf(overview) {
  const now = seconds(overview.now);
  const firsts = overview.hosts.filter((o) => o.configured && o.first_recorded).map((o) => seconds(o.first_recorded));
  const first = firsts.length ? Math.min(...firsts) : NaN;
  const begin = dayStart(overview.first_day, 0);
  /** @type {[string, number][]} */
  const ranges = [['24 hours', now - DAY_SECONDS], ['7 days', startOfDay(now, -6)], ['90 days', begin]];
  return [...rangeLabels(ranges, first, now), first > begin ? 'measured since then' : MEASURED];
}

/** The place of the strip of 90 days: a day leads to the charts of its hosts. @param {App} app */
function dayStrip(app) {
  /** @type {DayBars} */
  let bars = { kinds: [], down: [] };
  const element = h('div', {
    class: 'days pickable', tabindex: 0, role: 'slider', 'aria-valuenow': 0,
    'aria-label': 'What most hosts saw, by day; Enter shows the charts',
  });
  whenReached(element, () => import('../parts/daypicker.js').then((m) => m.pickLineDay(element, app, () => bars)));
  return {
    element,
    /** @param {Overview} overview */
    draw({ hosts, days, line }) {
      bars = mostHosts(hosts.filter((o) => o.configured).map((o) => dayBars(o.days)), days);
      put(element, strip(bars, 'What most hosts saw', 8, STRIP_HEIGHT),
        h('div', { class: 'letters', 'aria-hidden': 'true' }, ...letterMarks(line, bars)));
    },
  };
}

/** The strip of 90 days with its letters and months.
 * @param {HTMLElement} element @param {ReturnType<typeof dayStrip>} bars @param {Overview} overview */
function drawLine(element, bars, overview) {
  const { days, first_day: firstDay, line } = overview;
  const hasFocus = document.activeElement === bars.element;
  bars.draw(overview);
  put(element,
    h('div', { class: 'line-head' },
      h('span', null, h('b', null, `What most hosts saw, ${days} days`),
        h('span', { class: 'wide-only' }, ', one bar per day, taller is worse')),
      letterKey(line)),
    bars.element,
    h('div', { class: 'months third', 'aria-hidden': 'true' }, ...monthMarks(firstDay, days),
      h('span', { class: 'end' }, 'today')));
  // Moving it took the focus.
  if (hasFocus) bars.element.focus();
}

/** The verdict with its figures and the strip of 90 days. @param {App} app */
function verdictCard(app) {
  const mark = h('span', { class: 'verdict-shape' });
  const title = h('h1', { tabindex: -1 });
  const text = h('p', { class: 'second' });
  const labels = ['24 hours', '7 days', '90 days', MEASURED].map((label, i) =>
    h('dt', { tabindex: 0, 'data-hint': i < 3 ? 'availability' : 'measured' }, label));
  const values = labels.map(() => h('dd', null, NO_VALUE));
  const figures = values.map((value, i) => h('div', null, labels[i], value));
  const line = h('div', { class: 'line' });
  const days = dayStrip(app);
  const element = h('section', { class: 'card verdict', 'aria-label': 'Verdict' },
    h('div', { class: 'verdict-words' }, mark,
      h('div', null, title, text, h('dl', { class: 'figures', 'aria-label': 'Availability, all hosts' }, ...figures))),
    line);
  let drawnState = '';
  /** @type {Overview | null} */
  let drawnOverview = null;
  return {
    element, title,
    /** @param {Status} status */
    update(status) {
      const { entries, active, present } = app;
      const now = verdict({ status, entries, active, present }, app.overview?.line.last ?? null, app.now());
      if (now.state !== drawnState) put(mark, shape(now.state, 24));
      drawnState = now.state;
      setText(title, now.title);
      setText(text, now.text);
      if (!app.overview || app.overview === drawnOverview) return;
      drawnOverview = app.overview;
      figuresOf(app.overview).forEach((figure, i) => setText(values[i], figure));
      labelsOf(app.overview).forEach((label, i) => {
        figures[i].hidden = label === null;
        setText(labels[i], label ?? '');
      });
      drawLine(line, days, app.overview);
    },
  };
}

/** The bar above the table: filters, sorting, files, legend. @param {App} app */
function createBar(app) {
  /** @type {[string, string][]} */
  const options = [['', 'All'], ...WORST_FIRST.map((s) => /** @type {[string, string]} */ ([s, STATE_WORDS[s]]))];
  const states = chips('State', options, app.view.state, (state) => app.go({ state }, true));
  const filter = h('input', {
    type: 'search', id: 'filter', placeholder: 'Filter hosts', 'aria-label': 'Filter hosts', 'aria-keyshortcuts': '/',
    autocomplete: 'off', spellcheck: 'false',
  });
  filter.addEventListener('input', () => app.go({ query: filter.value }, true));
  const sort = h('select', { 'aria-label': 'Sort hosts' },
    ...SORTS.map(([key, name]) => h('option', { value: key }, name)));
  sort.addEventListener('change', () => app.go({ sort: sort.value }, true));
  const download = button('CSV', () => {
    const rows = filterAndSort(app.entries, app.view).map(csvRow);
    saveCsv(`hosts_${fileText(app.now())}.csv`, csv(CSV_HEAD, rows));
  });
  const report = linkInNewTab('Report', ' (printable, of 90 days, opens in a new tab)');
  // Size: loaded when it is first wanted.
  const add = button('Add a host', () => import('../parts/addhost.js').then((m) => m.openAddHost(app), () => {}));
  const legend = h('div', { class: 'legend third', 'aria-hidden': 'true' },
    ...LEGEND.map(([kind, word]) => h('span', { class: `key key-${kind}` }, word)));
  return {
    filter,
    element: h('div', { class: 'bar' }, states,
      h('label', { class: 'search' }, filter, h('kbd', { 'aria-hidden': 'true' }, '/')),
      sort, download, report, add, legend),
    update() {
      const count = countStates(app.entries);
      for (const chip of states.querySelectorAll('button')) {
        const state = /** @type {State | ''} */ (chip.dataset.key);
        const text = state ? `${stateLabel(state, app.present)} ${count[state]}` : `All ${app.entries.length}`;
        if (chip.textContent !== text) put(chip, state && shape(state, 10), text);
      }
      setPressed(states, app.view.state);
      if (document.activeElement !== filter) filter.value = app.view.query;
      sort.value = app.view.sort;
      // Backwards, by a click on a column's head: the select has no option for it.
      if (sort.value !== app.view.sort) sort.value = app.view.sort.replace('-', '');
      if (!app.overview) return;
      const span = { from: dayStart(app.overview.first_day, 0), to: Math.floor(app.now() / 60) * 60 };
      report.href = reportUrl(span);
    },
  };
}

/** Loads the explanation of the first run once it is needed. @param {App} app @param {() => void} onLoad */
function firstRunPlace(app, onLoad) {
  const element = h('div', { hidden: true });
  /** @type {ReturnType<typeof import('../parts/firstrun.js').firstRun> | null} */
  let card = null;
  let isRequested = false;
  return {
    element,
    isShown: () => card !== null && !card.element.hidden,
    /** @param {Status} status */
    update(status) {
      card?.update(app);
      const hosts = app.entries.filter((e) => e.configured);
      const isComplete = status.first_check && hosts.every((e) => !Number.isNaN(e.at)) && hosts.some((e) => e.sent);
      if (isRequested || isComplete) return;
      isRequested = true;
      // Size: only a first run needs this module.
      import('../parts/firstrun.js').then((m) => {
        card = m.firstRun();
        element.replaceWith(card.element);
        onLoad();
      }, () => {
        isRequested = false;
      });
    },
  };
}

/** @param {App} app */
export function overviewPage(app) {
  const top = verdictCard(app);
  const path = pathFigure();
  const bar = createBar(app);
  const hosts = hostTable({
    sort: (key) => app.go({ sort: app.view.sort === key ? `-${key}` : key }, true),
    clear: () => {
      app.go({ query: '', state: '' }, true);
      bar.filter.focus();
    },
    pickDays: (element, host) => import('../parts/daypicker.js').then((m) =>
      m.pickHostDay(element, app, () => host, (i) => m.openDay(app, { page: 'host', host }, i))),
  });
  const rest = h('p', { class: 'third' });
  const update = () => {
    if (!app.status) return;
    top.update(app.status);
    firstRun.update(app.status);
    top.element.classList.toggle('first', firstRun.isShown());
    bar.update();
    const { wall, query } = app.view;
    const sort = wall ? 'trouble' : app.view.sort;
    const list = filterAndSort(app.entries, { ...app.view, sort });
    const shown = wall ? list.slice(0, WALL_ROWS) : list;
    hosts.update(shown, sort, query);
    rest.hidden = list.length === shown.length;
    setText(rest, `and ${list.length - shown.length} more, none of them worse`);
    path.update(app);
    path.element.hidden ||= firstRun.isShown();
  };
  const firstRun = firstRunPlace(app, update);
  return {
    element: h('div', { class: 'page' }, top.element, firstRun.element, path.element, bar.element, hosts.element, rest),
    title: () => 'Overview', heading: top.title, show: update, results: update, tick: update, redraw: () => {},
    close: hosts.close, search: () => bar.filter.focus(),
  };
}
