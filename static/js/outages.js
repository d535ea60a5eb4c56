// All outages of the last 90 days, of one host or of all, over or not.
import { get } from './api.js';
import { button, chips, h, press, put, save, say } from './dom.js';
import { csv } from './format.js';
import { lengthOf, outageSum, outageTable } from './outagelist.js';
import { fileText } from './time.js';

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
  const element = h('div', { class: 'page' }, h('div', { class: 'host-top' }, h('div', null, title, sum), h('div', { class: 'bar' }, kinds, host, button('CSV', () => saveCsv()))), body);
  /** @type {Outage[]} */
  let list = [];
  let asked = '';
  let turn = 0;

  const saveCsv = () => save(`outages_${fileText(app.now())}.csv`, new Blob([csv(['host_name', 'host_address', 'event_type', 'start_time', 'end_time', 'duration_seconds', 'checks_failed', 'notes'],
    list.map((o) => [o.host_name, o.host_address, o.event_type, o.start_time, o.end_time, Math.round(lengthOf(o, app.now())), o.checks_failed, o.notes]))], { type: 'text/csv' }));

  const draw = () => {
    say(sum, `${outageSum(list, app.now(), DAYS)}${list.length === MOST ? ', only the newest are shown' : ''}. Times not measured are never counted as outages.`);
    put(body, list.length ? outageTable(list, app.now(), true) : h('p', { class: 'third' }, app.view.active ? 'No host has an outage now.' : `No outage in ${DAYS} days.`));
  };
  const load = async () => {
    turn += 1;
    const mine = turn;
    /** @type {Record<string, string | number>} */
    const query = { days: DAYS, limit: MOST };
    if (app.view.host) query.host_address = app.view.host;
    if (app.view.active) query.active_only = 'true';
    try {
      const answer = await get('api/outages', query);
      if (mine !== turn) return;
      list = /** @type {Outage[]} */ (answer);
      draw();
    } catch {
      if (mine === turn) asked = '';
    }
  };
  const show = () => {
    if (!app.status) return;
    if (host.options.length !== app.entries.length + 1) put(host, h('option', { value: '' }, 'All hosts'), ...app.entries.map((e) => h('option', { value: e.address }, e.name)));
    host.value = app.view.host;
    press(kinds, app.view.active ? 'active' : '');
    const key = `${app.view.host} ${app.view.active} ${app.active.map((o) => o.id)}`;
    if (key === asked) return;
    asked = key;
    load();
  };
  return { element, heading: title, title: () => 'Outages', show, results: show, tick: show, redraw: () => {}, close: () => { turn += 1; }, search: () => host.focus() };
}
