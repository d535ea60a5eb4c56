// All outages of the last 90 days, of one host or of all, by cause, over or not.
import { CAUSE_WORDS } from '../data/cause.js';
import { get, isUnknown } from '../data/api.js';
import { button, chips, h, newTab, press, put, save, say, tickAges } from '../dom.js';
import { csv } from '../data/format.js';
import { lengthOf, outageSum, outageTable } from '../parts/outagelist.js';
import { reportUrl } from '../data/queries.js';
import { fileText, startOfDay } from '../data/time.js';

const DAYS = 90;
const MOST = 500;

/** @param {App} app */
export function outagesPage(app) {
  const title = h('h1', { tabindex: -1 }, 'Outages');
  const sum = h('p', { class: 'second' });
  const body = h('div', { class: 'card part full' });
  const kinds = chips('Outages', [['', 'All'], ['active', 'Not over']], '', (key) => app.go({ active: key === 'active' }, true));
  const host = h('select', { 'aria-label': 'Host' });
  host.addEventListener('change', () => app.go({ host: host.value }, true));
  const cause = h('select', { 'aria-label': 'Cause' }, h('option', { value: '' }, 'All causes'), ...Object.entries(CAUSE_WORDS).map(([key, word]) => h('option', { value: key }, `Cause: ${word}`)));
  cause.addEventListener('change', () => app.go({ cause: cause.value }, true));
  const report = newTab('Report', ` (printable, of ${DAYS} days, opens in a new tab)`);
  const element = h('div', { class: 'page' }, h('div', { class: 'host-top' }, h('div', null, title, sum), h('div', { class: 'bar' }, kinds, host, cause, report, button('CSV', () => saveCsv()))), body);
  /** @type {Outage[]} */
  let list = [];
  let asked = '';
  let turn = 0;

  const saveCsv = () => save(`outages_${fileText(app.now())}.csv`, new Blob([csv(['host_name', 'host_address', 'event_type', 'start_time', 'end_time', 'duration_seconds', 'checks_failed', 'notes', 'earliest_start', 'packets_sent', 'packets_lost', 'cause', 'planned', 'down_seconds'],
    list.map((o) => [o.host_name, o.host_address, o.event_type, o.start_time, o.end_time, Math.round(lengthOf(o, app.now())), o.checks_failed, o.notes, o.earliest_start, o.packets_sent, o.packets_lost, o.cause, String(o.planned), o.down_seconds]))], { type: 'text/csv' }));

  const draw = () => {
    say(sum, `${outageSum(list, app.now(), DAYS)}${list.length === MOST ? ', only the newest are shown' : ''}. Times not measured are never counted as outages, planned ones neither.`);
    const key = body.contains(document.activeElement) ? document.activeElement?.getAttribute('aria-controls') : null;
    put(body, list.length ? outageTable(list, app.now(), true) : h('p', { class: 'third' }, app.view.active ? 'Nothing is down now.' : app.view.cause || app.view.host ? `No such outage in ${DAYS} days.` : `No outage in ${DAYS} days.`),
      list.length > 0 && h('p', { class: 'third small' }, 'Link, gateway, provider, DNS, host: the square is where it broke; what lies beyond could not be judged.'));
    // A new list must not take the place away from who reads it.
    if (key) for (const b of body.querySelectorAll('button')) if (b.getAttribute('aria-controls') === key) b.focus();
  };
  const load = async () => {
    turn += 1;
    const mine = turn;
    /** @type {Record<string, string | number>} */
    const query = { days: DAYS, limit: MOST };
    if (app.view.host) query.host_address = app.view.host;
    if (app.view.cause) query.cause = app.view.cause;
    if (app.view.active) query.active_only = 'true';
    try {
      const answer = await get('api/outages', query);
      if (mine !== turn) return;
      list = /** @type {Outage[]} */ (answer);
      draw();
    } catch (error) {
      if (mine !== turn) return;
      if (isUnknown(error)) {
        list = [];
        say(sum, '');
        put(body, h('p', { class: 'third' }, `No host with the address ${app.view.host} is known here.`));
      } else asked = '';
    }
  };
  const show = () => {
    if (!app.status) return;
    if (host.options.length !== app.entries.length + 1) put(host, h('option', { value: '' }, 'All hosts'), ...app.entries.map((e) => h('option', { value: e.address }, e.name)));
    host.value = app.view.host;
    cause.value = app.view.cause;
    press(kinds, app.view.active ? 'active' : '');
    report.href = reportUrl({ from: startOfDay(app.now(), 1 - DAYS), to: Math.floor(app.now() / 60) * 60 }, app.view.host);
    tickAges(body, app.now());
    const key = `${app.view.host} ${app.view.cause} ${app.view.active} ${app.active.map((o) => [o.id, o.cause])}`;
    if (key === asked) return;
    asked = key;
    load();
  };
  return { element, heading: title, title: () => 'Outages', show, results: show, tick: show, redraw: () => {}, close: () => { turn += 1; }, search: () => host.focus() };
}
