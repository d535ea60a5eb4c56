// The table of hosts. Rows are kept and updated in place, so that focus and selection survive each new result. Strips
// and sparklines are drawn when their row first becomes visible.
import { shape, sparkline, stateMark, strip } from '../charts/shapes.js';
import { availability } from '../data/days.js';
import { NO_VALUE, ms, percent, usAsMs } from '../data/format.js';
import { addressText, stateText } from '../data/hosts.js';
import { moment } from '../data/time.js';
import { writeView } from '../data/view.js';
import { button, explained, h, put, setText, whenReached } from '../dom.js';

// This many rows are drawn without waiting for the observer: they are certainly visible.
const FIRST_DRAWN = 12;
// More rows at once would block the page: 500 take a quarter of a second.
const SLICE = 50;

/** @type {[string, string, string][]} text, class, sort key */
const COLUMNS = [
  ['State', 'c-state', 'trouble'],
  ['Host', 'c-host', 'name'],
  ['Now, ms', 'c-now number', 'latency'],
  ['Latency, 24 hours', 'c-spark', ''],
  ['p95, ms', 'c-p95 number', ''],
  ['24 hours, %', 'c-day number', ''],
  ['90 days', 'c-strip', ''],
  ['90 days, %', 'c-share number', 'availability'],
  ['Measured, %', 'c-measured number', 'coverage'],
];

/** isOld: what is drawn is not the newest
 * @typedef {{
 *   row: HTMLTableRowElement, update: (e: HostEntry) => void, draw: () => void, isOld: () => boolean,
 * }} HostRow */

function createCells() {
  const link = h('a', null);
  const note = h('span', { class: 'third' });
  return {
    link, note,
    latency: h('span', { class: 'phone-only' }),
    state: h('td', { class: 'c-state' }),
    host: h('th', { scope: 'row', class: 'c-host' }, link, ' ', note),
    now: h('td', { class: 'c-now number' }),
    spark: h('td', { class: 'c-spark' }),
    p95: h('td', { class: 'c-p95 number second' }),
    day: h('td', { class: 'c-day number second' }),
    days: h('td', { class: 'c-strip' }),
    share: h('td', { class: 'c-share number' }),
    measured: h('td', { class: 'c-measured number second' }),
  };
}

/** @param {HostEntry} e */
function noteOf(e) {
  if (e.state === 'not_measured' && e.error) return e.error;
  return e.configured ? addressText(e) : `${e.address}, no longer configured`;
}

/** @param {HostEntry} e */
function latencyOf(e) {
  return e.state === 'down' || (e.state === 'not_measured' && !e.was) ? NO_VALUE : ms(e.latency);
}

/** @typedef {{
 *   sort: (key: string) => void, clear: () => void, pickDays: (element: HTMLElement, host: string) => Promise<void>,
 * }} TableActions */

/** @param {HostEntry} first @param {TableActions} actions @returns {HostRow} */
function createRow(first, actions) {
  let entry = first;
  let isDrawn = false;
  let drawnMark = '';
  /** @type {unknown} */
  let drawnDays = null;
  const { link, note, latency, ...cells } = createCells();
  const { state, host, now, spark, p95, day, days, share, measured } = cells;
  link.href = writeView({ page: 'host', host: first.address });
  link.textContent = first.name;

  const bars = h('div', { class: 'pickable' });
  // By keyboard the days are reached on the host's page: 500 rows must not be 500 more stops of the Tab key.
  whenReached(bars, () => actions.pickDays(bars, first.address));
  const draw = () => {
    isDrawn = true;
    if (drawnDays === entry.days) return;
    drawnDays = entry.days;
    if (entry.spark && !Number.isNaN(entry.at)) {
      put(spark, sparkline(entry.spark, `Latency of ${entry.name} in 24 hours`));
    }
    if (entry.days) put(bars, strip(entry.days, entry.name, 5, 22));
    if (!bars.isConnected) put(days, bars);
  };
  /** @param {HostEntry} next */
  const update = (next) => {
    entry = next;
    const word = stateText(next);
    const mark = `${next.state} ${word}`;
    if (mark !== drawnMark) put(state, stateMark(next.state, word), latency);
    drawnMark = mark;
    setText(note, noteOf(next));
    // A long name or note is cut off.
    host.title = `${next.name}, ${note.textContent}`;
    setText(now, latencyOf(next));
    now.title = next.was ? `at ${moment(next.at, Date.now() / 1000)}` : '';
    setText(latency, now.textContent === NO_VALUE ? '' : `, ${now.textContent} ms`);
    now.classList.toggle('text-degraded', next.state === 'degraded');
    now.classList.toggle('text-poor', next.state === 'poor');
    now.classList.toggle('third', next.state === 'not_measured');
    setText(share, percent(next.availability));
    setText(measured, percent(next.coverage, 1));
    for (const cell of [share, measured]) cell.title = next.since;
    setText(p95, usAsMs(next.lastDay?.p95_us));
    setText(day, next.lastDay ? percent(availability([next.lastDay])) : NO_VALUE);
  };
  update(first);
  const row = h('tr', null, state, host, now, spark, p95, day, days, share, measured);
  return { row, update, draw, isOld: () => isDrawn && drawnDays !== entry.days };
}

/** @param {(key: string) => void} sort */
const createHeads = (sort) => COLUMNS.map(([text, name, key]) => {
  const hint = name.split(' ')[0];
  const content = key
    ? h('button', { type: 'button', class: 'sorter', 'data-hint': hint, onclick: () => sort(key) }, text)
    : explained(hint, text);
  const end = name === 'c-strip' && h('span', { class: 'third today' }, ' today');
  return h('th', { scope: 'col', class: name, 'data-sort': key }, content, end);
});

/** @param {TableActions} actions */
export function hostTable(actions) {
  /** @type {Map<string, HostRow>} by address */
  const rows = new Map();
  const heads = createHeads(actions.sort);
  const body = h('tbody', null);
  const element = h('table', { class: 'hosts card' },
    h('caption', { class: 'unseen' }, 'Hosts'), h('thead', null, h('tr', null, ...heads)), body);
  const observer = new IntersectionObserver((changes) => {
    for (const { isIntersecting, target } of changes) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      for (const host of rows.values()) if (host.row === target) host.draw();
    }
  }, { rootMargin: '200px' });

  /** @param {HostEntry} e @param {number} i */
  const rowOf = (e, i) => {
    const known = rows.get(e.address);
    if (known) {
      known.update(e);
      // Drawn again once it is visible: not all of hundreds of rows at once.
      if (known.isOld()) observer.observe(known.row);
      return known.row;
    }
    const host = createRow(e, actions);
    rows.set(e.address, host);
    if (i < FIRST_DRAWN) host.draw();
    else observer.observe(host.row);
    return host.row;
  };
  /** What is shown, in order; so many of them are in their places. @type {HostEntry[]} */
  let wanted = [];
  let placed = 0;
  let timer = 0;
  let nothing = '';

  /** Puts the next rows into their places. */
  const place = () => {
    const focused = document.activeElement;
    for (const end = Math.min(placed + SLICE, wanted.length); placed < end; placed += 1) {
      const row = rowOf(wanted[placed], placed);
      const there = body.children[placed] ?? null;
      if (row === there) continue;
      // A row that moved down is moved by itself, instead of all others up.
      if (there?.nextSibling === row) body.append(there);
      else body.insertBefore(row, there);
    }
    // Moving a row takes the focus from what is inside it.
    if (focused !== document.activeElement && focused instanceof HTMLElement && body.contains(focused)) focused.focus();
    timer = placed < wanted.length ? setTimeout(place) : 0;
  };
  // Paper has every row.
  const drawAll = () => {
    while (placed < wanted.length) place();
    for (const host of rows.values()) host.draw();
  };
  addEventListener('beforeprint', drawAll);
  return {
    element,
    close() {
      clearTimeout(timer);
      observer.disconnect();
      removeEventListener('beforeprint', drawAll);
    },
    /** @param {HostEntry[]} list in order @param {string} sort @param {string} query */
    update(list, sort, query) {
      for (const th of heads) {
        if (th.dataset.sort !== sort.replace('-', '')) th.removeAttribute('aria-sort');
        else th.setAttribute('aria-sort', sort.startsWith('-') ? 'descending' : 'ascending');
      }
      const isSame = list.length === wanted.length && list.every((e, i) => e.address === wanted[i].address);
      wanted = list;
      if (!list.length) {
        const reason = query ? ` No host matches “${query}” ` : ' No host in this state ';
        if (isSame && reason === nothing) return;
        nothing = reason;
        put(body, h('tr', { class: 'nothing' }, h('td', { colspan: COLUMNS.length },
          shape('not_measured', 12), reason, button('Clear filter', () => actions.clear()))));
        return;
      }
      nothing = '';
      if (isSame) {
        list.slice(0, placed).forEach(rowOf);
        return;
      }
      clearTimeout(timer);
      const kept = new Set(list.map((e) => rows.get(e.address)?.row));
      for (const row of [...body.querySelectorAll('tr')]) if (!kept.has(row)) row.remove();
      placed = 0;
      place();
    },
  };
}
