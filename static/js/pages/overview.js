// The first page: the verdict, what most hosts saw in 90 days, and the table of hosts.
import { LETTERS, CAUSE_WORDS } from '../data/cause.js';
import { button, chips, h, newTab, press, put, save, say } from '../dom.js';
import { csv, percent, WORDS } from '../data/format.js';
import { TROUBLE_FIRST, chosen, tally } from '../data/hosts.js';
import { hostTable } from '../parts/hosttable.js';
import { pathFigure } from '../parts/path.js';
import { reportUrl } from '../data/queries.js';
import { shape, strip } from '../charts/shapes.js';
import { available, barsOf, dayStart, heightOf, lastDays, mostHosts } from '../data/days.js';
import { fileText, month } from '../data/time.js';
import { verdict } from '../data/verdict.js';

/** @type {[string, string][]} */
const SORTS = [['trouble', 'Sort: trouble first'], ['name', 'Sort: name'], ['latency', 'Sort: slowest first'], ['availability', 'Sort: least available'], ['coverage', 'Sort: least measured']];

/** @param {string} label @returns {{element: HTMLElement, value: HTMLElement}} */
function figure(label) {
  const value = h('dd', null, '–');
  return { element: h('div', null, h('dt', null, label), value), value };
}

/** The month's name under its first day. @param {import('../dom.js').Child[]} into @param {string} firstDay @param {number} days */
function monthMarks(into, firstDay, days) {
  for (let i = 0; i < days - 4; i += 1) {
    const t = dayStart(firstDay, i);
    if (new Date(t * 1000).getDate() !== 1) continue;
    const mark = h('span', null, month(t));
    mark.style.left = `${(100 * i) / days}%`;
    into.push(mark);
  }
}

const STRIP_HEIGHT = 56;

/** Whose fault a day's outage was, above its bar. @param {LineShares} line @param {Bars} bars */
function letterMarks(line, bars) {
  return line.days.map((letter, i) => {
    if (!letter) return null;
    const mark = h('span', { class: bars.kinds[i] === 'down' ? 'text-down' : 'second' }, letter);
    mark.style.left = `${(100 * (i + 0.4)) / line.days.length}%`;
    mark.style.bottom = `${Math.round(heightOf(bars.kinds[i], bars.silent[i]) * STRIP_HEIGHT)}px`;
    return mark;
  });
}

/** "fault of G gateway, P provider", of those that occur. @param {LineShares} line */
function letterKey(line) {
  const used = Object.keys(LETTERS).filter((letter) => line.days.includes(letter));
  return used.length > 0 && h('span', { class: 'faults' }, 'fault of', ...used.flatMap((letter) => [' ', h('b', { class: 'text-down' }, letter), ` ${CAUSE_WORDS[LETTERS[letter]]}`]));
}

/** @param {App} app */
export function overviewPage(app) {
  const mark = h('span', { class: 'verdict-shape' });
  const title = h('h1', { tabindex: -1 });
  const text = h('p', { class: 'second' });
  const figures = [figure('24 hours'), figure('7 days'), figure('90 days'), figure('measured, 90 d')];
  const line = h('div', { class: 'line' });
  const top = h('section', { class: 'card verdict', 'aria-label': 'Verdict' },
    h('div', { class: 'verdict-words' }, mark, h('div', null, title, text, h('dl', { class: 'figures', 'aria-label': 'Availability, all hosts' }, ...figures.map((f) => f.element)))), line);

  // Only who has no result of some host yet needs to be told how results come.
  /** @type {ReturnType<typeof import('../parts/firstrun.js').firstRun> | null} */
  let first = null;
  let firstAsked = false;
  const firstPlace = h('div', { hidden: true });
  /** @param {Status} status */
  const updateFirst = (status) => {
    first?.update(app);
    if (firstAsked || (status.first_check && app.entries.every((e) => !e.configured || !Number.isNaN(e.at)))) return;
    firstAsked = true;
    import('../parts/firstrun.js').then((m) => {
      first = m.firstRun();
      firstPlace.replaceWith(first.element);
      update();
    }, () => {
      firstAsked = false;
    });
  };
  const states = chips('State', [['', 'All'], ...TROUBLE_FIRST.map((s) => /** @type {[string, string]} */ ([s, WORDS[s]]))], app.view.state, (state) => app.go({ state }, true));
  const filter = h('input', { type: 'search', id: 'filter', placeholder: 'Filter hosts', 'aria-label': 'Filter hosts', 'aria-keyshortcuts': '/', autocomplete: 'off', spellcheck: 'false' });
  filter.addEventListener('input', () => app.go({ query: filter.value }, true));
  const sort = h('select', { 'aria-label': 'Sort hosts' }, ...SORTS.map(([key, name]) => h('option', { value: key }, name)));
  sort.addEventListener('change', () => app.go({ sort: sort.value }, true));
  const download = button('CSV', () => saveCsv());
  const report = newTab('Report', ' (printable, of 90 days, opens in a new tab)');
  const path = pathFigure();
  const legend = h('div', { class: 'legend third', 'aria-hidden': 'true' }, ...[['up', 'up'], ['degraded', 'degraded'], ['down', 'outage'], ['not_measured', 'not measured']].map(([k, w]) => h('span', { class: `key key-${k}` }, w)));
  const bar = h('div', { class: 'bar' }, states, h('label', { class: 'search' }, filter, h('kbd', { 'aria-hidden': 'true' }, '/')), sort, download, report, legend);
  const hosts = hostTable({
    sort: (key) => app.go({ sort: app.view.sort === key ? `-${key}` : key }, true),
    clear: () => {
      app.go({ query: '', state: '' }, true);
      filter.focus();
    },
  });
  const element = h('div', { class: 'page' }, top, firstPlace, path.element, bar, hosts.element);
  let shown = '';
  /** @type {Overview | null} */
  let drawn = null;

  const saveCsv = () => {
    const rows = chosen(app.entries, app.view).map((e) => [e.name, e.address, e.state, e.latency, e.lastDay?.p95_us, e.availability, e.coverage, Number.isNaN(e.at) ? null : new Date(e.at * 1000).toISOString()]);
    save(`hosts_${fileText(app.now())}.csv`, new Blob([csv(['host_name', 'host_address', 'state', 'avg_latency_ms', 'p95_us_24_hours', 'availability_percent', 'coverage_percent', 'newest_check'], rows)], { type: 'text/csv' }));
  };

  const drawLine = () => {
    const overview = app.overview;
    if (!overview || drawn === overview) return;
    drawn = overview;
    const configured = overview.hosts.filter((o) => o.configured);
    const spans = [configured.map((o) => o.last_day), ...[7, 90].map((days) => configured.flatMap((o) => lastDays(o.days, days)))];
    spans.forEach((span, i) => say(figures[i].value, `${percent(available(span))} %`.replace('– %', '–')));
    const covered = configured.filter((o) => o.coverage_percent !== null);
    say(figures[3].value, covered.length ? `${percent(covered.reduce((sum, o) => sum + (o.coverage_percent ?? 0), 0) / covered.length, 1)} %` : '–');
    /** @type {import('../dom.js').Child[]} */
    const marks = [];
    monthMarks(marks, overview.first_day, overview.days);
    const most = mostHosts(configured.map((o) => barsOf(o.days)), overview.days);
    put(line, h('div', { class: 'line-head' }, h('span', null, h('b', null, `What most hosts saw, ${overview.days} days`), h('span', { class: 'wide-only' }, ', a bar a day: the taller, the worse')), letterKey(overview.line)),
      h('div', { class: 'days' }, strip(most, 'What most hosts saw', 8, STRIP_HEIGHT), h('div', { class: 'letters', 'aria-hidden': 'true' }, ...letterMarks(overview.line, most))), h('div', { class: 'months third', 'aria-hidden': 'true' }, ...marks, h('span', { class: 'end' }, 'today')));
  };

  const update = () => {
    if (!app.status) return;
    const now = app.now();
    const said = verdict(app.status, app.entries, app.overview?.line.last ?? null, now);
    if (shown !== said.state + said.title) {
      put(mark, shape(said.state, 24));
      say(title, said.title);
      shown = said.state + said.title;
    }
    say(text, said.text);
    updateFirst(app.status);
    const isFirst = first !== null && !first.element.hidden;
    top.classList.toggle('first', isFirst);
    const count = tally(app.entries);
    for (const choice of states.querySelectorAll('button')) {
      const state = /** @type {State | ''} */ (choice.dataset.key);
      const wanted = state ? `${WORDS[state]} ${count[state]}` : `All ${app.entries.length}`;
      if (choice.textContent !== wanted) put(choice, state && shape(state, 10), wanted);
    }
    press(states, app.view.state);
    if (document.activeElement !== filter) filter.value = app.view.query;
    sort.value = app.view.sort;
    // Sorted by a column's head the other way round: the list has no word for it.
    if (sort.value !== app.view.sort) sort.value = app.view.sort.replace('-', '');
    hosts.update(chosen(app.entries, app.view), app.view.sort, app.view.query);
    drawLine();
    path.update(app);
    path.element.hidden ||= isFirst;
    if (app.overview) report.href = reportUrl({ from: dayStart(app.overview.first_day, 0), to: Math.floor(now / 60) * 60 });
  };
  return { element, title: () => 'Overview', heading: title, show: update, results: update, tick: update, redraw: () => {}, close: hosts.close, search: () => filter.focus() };
}
