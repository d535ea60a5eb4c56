// The table of hosts: rows are kept and patched, so that focus and selection survive each new result;
// strips and sparklines are drawn when a row first comes into sight.
import { button, h, put, say } from '../dom.js';
import { NOTHING, WORDS, ms, percent, usAsMs } from '../data/format.js';
import { shape, sparkline, stateMark, strip } from '../charts/shapes.js';
import { available, barsOf, words } from '../data/days.js';
import { writeView } from '../data/view.js';

const FIRST_DRAWN = 12;

/** @typedef {{row: HTMLTableRowElement, entry: Entry, seen: boolean, key: string, drawn: unknown, update: (e: Entry) => void, draw: () => void}} HostLine */

/** @type {[string, string, string][]} text, class, sort key */
const COLUMNS = [
  ['State', 'c-state', 'trouble'], ['Host', 'c-host', 'name'], ['Now, ms', 'c-now number', 'latency'], ['Latency, 24 hours', 'c-spark', ''],
  ['p95, ms', 'c-p95 number', ''], ['24 hours, %', 'c-day number', ''], ['90 days', 'c-strip', ''], ['90 days, %', 'c-share number', 'availability'], ['Measured, %', 'c-measured number', 'coverage'],
];

/** @param {Entry} e */
function lineOf(e) {
  const state = h('td', { class: 'c-state' });
  const link = h('a', { href: writeView({ page: 'host', host: e.address }) }, e.name);
  const note = h('span', { class: 'third' });
  const inline = h('span', { class: 'phone-only' });
  const now = h('td', { class: 'c-now number' });
  const spark = h('td', { class: 'c-spark' });
  const p95 = h('td', { class: 'c-p95 number second' });
  const day = h('td', { class: 'c-day number second' });
  const days = h('td', { class: 'c-strip' });
  const share = h('td', { class: 'c-share number' });
  const measured = h('td', { class: 'c-measured number second' });
  const row = h('tr', null, state, h('th', { scope: 'row', class: 'c-host' }, link, ' ', note), now, spark, p95, day, days, share, measured);
  /** @type {HostLine} */
  const line = {
    row, entry: e, seen: false, key: '', drawn: null,
    update(next) {
      line.entry = next;
      const mark = next.was ? `was ${WORDS[next.was].toLowerCase()}` : WORDS[next.state];
      const key = `${next.state} ${mark}`;
      if (key !== line.key) put(state, stateMark(next.state, mark), inline);
      line.key = key;
      say(note, next.state === 'not_measured' && next.error ? next.error : next.configured ? next.address : `${next.address}, no longer configured`);
      // A long one is cut off.
      row.cells[1].title = `${next.name}, ${note.textContent}`;
      say(now, next.state === 'down' || (next.state === 'not_measured' && !next.was) ? NOTHING : ms(next.latency));
      say(inline, now.textContent === NOTHING ? '' : `, ${now.textContent} ms`);
      now.classList.toggle('text-degraded', next.state === 'degraded');
      now.classList.toggle('third', next.state === 'not_measured');
      say(share, percent(next.availability));
      say(measured, percent(next.coverage, 1));
      say(p95, usAsMs(next.lastDay?.p95_us));
      say(day, next.lastDay ? percent(available([next.lastDay])) : NOTHING);
      if (line.seen) line.draw();
    },
    draw() {
      line.seen = true;
      if (line.drawn === line.entry.days) return;
      line.drawn = line.entry.days;
      if (line.entry.spark && !Number.isNaN(line.entry.at)) put(spark, sparkline(line.entry.spark, `Latency of ${line.entry.name} in 24 hours`));
      if (line.entry.days) put(days, strip(line.entry.days, line.entry.name, 5, 22));
      days.title = line.entry.days ? words(barsOf(line.entry.days)) : '';
    },
  };
  line.update(e);
  return line;
}

/** @param {{sort: (key: string) => void, clear: () => void}} wishes */
export function hostTable(wishes) {
  /** @type {Map<string, HostLine>} */
  const lines = new Map();
  const heads = COLUMNS.map(([text, name, key]) => {
    const content = key ? h('button', { type: 'button', class: 'sorter', onclick: () => wishes.sort(key) }, text) : text;
    const ends = name === 'c-strip' && h('span', { class: 'third today' }, 'today');
    return h('th', { scope: 'col', class: name, 'data-sort': key }, content, ends);
  });
  const body = h('tbody', null);
  const element = h('table', { class: 'hosts card' }, h('caption', { class: 'unseen' }, 'Hosts'), h('thead', null, h('tr', null, ...heads)), body);
  const sight = new IntersectionObserver((changes) => {
    for (const change of changes) {
      if (!change.isIntersecting) continue;
      sight.unobserve(change.target);
      for (const line of lines.values()) if (line.row === change.target) line.draw();
    }
  }, { rootMargin: '200px' });

  return {
    element,
    close: () => sight.disconnect(),
    /** @param {Entry[]} list in order @param {string} sort @param {string} query */
    update(list, sort, query) {
      const key = sort.replace('-', '');
      for (const th of heads) {
        if (th.dataset.sort === key) th.setAttribute('aria-sort', sort.startsWith('-') ? 'descending' : 'ascending');
        else th.removeAttribute('aria-sort');
      }
      const rows = list.map((e, i) => {
        let line = lines.get(e.address);
        if (line) line.update(e);
        else {
          line = lineOf(e);
          lines.set(e.address, line);
          // What is surely in sight need not wait to be seen.
          if (i < FIRST_DRAWN) line.draw();
          else sight.observe(line.row);
        }
        return line.row;
      });
      if (!rows.length) {
        const clear = button('Clear filter', () => wishes.clear());
        put(body, h('tr', { class: 'nothing' }, h('td', { colspan: COLUMNS.length }, shape('not_measured', 12), query ? ` No host matches “${query}” ` : ' No host in this state ', clear)));
        return;
      }
      if (rows.length === body.children.length && rows.every((r, i) => r === body.children[i])) return;
      const focused = document.activeElement;
      put(body, ...rows);
      // Moving a row takes the focus from what it holds.
      if (focused instanceof HTMLElement && body.contains(focused)) focused.focus();
    },
  };
}
