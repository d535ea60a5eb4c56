// The page of outages: those of the last 90 days, by host and cause, all or only ongoing ones.
import { get, isNotFound } from '../data/api.js';
import { CAUSE_WORDS } from '../data/cause.js';
import { csv } from '../data/format.js';
import { reportUrl } from '../data/queries.js';
import { fileText, startOfDay } from '../data/time.js';
import { button, chips, h, linkInNewTab, put, saveCsv, setPressed, setText, updateDurations } from '../dom.js';
import { outageSeconds, outageSummary, outageTable } from '../parts/outagelist.js';

const DAYS = 90;
const MAX_OUTAGES = 500;
const CSV_HEAD = [
  'host_name', 'host_address', 'event_type', 'start_time', 'end_time', 'duration_seconds', 'checks_failed', 'notes',
  'earliest_start', 'packets_sent', 'packets_lost', 'cause', 'planned', 'down_seconds',
];

/** @param {Outage} o @param {number} now Unix seconds */
const csvRow = (o, now) => [
  o.host_name, o.host_address, o.event_type, o.start_time, o.end_time, Math.round(outageSeconds(o, now)),
  o.checks_failed, o.notes, o.earliest_start, o.packets_sent, o.packets_lost, o.cause, String(o.planned),
  o.down_seconds,
];

/** @param {View} view */
function emptyText(view) {
  if (view.active) return 'Nothing is down now.';
  return view.cause || view.host ? `No such outage in ${DAYS} days.` : `No outage in ${DAYS} days.`;
}

/** Keeps the focus on the button that has it. @param {HTMLElement} body @param {Outage[]} list @param {App} app */
function drawList(body, list, app) {
  const { activeElement } = document;
  const focused = body.contains(activeElement) ? activeElement?.getAttribute('aria-controls') : null;
  if (list.length) {
    put(body, outageTable(list, app.now(), true), h('p', { class: 'third small' },
      'Link, gateway, provider, DNS, host: the square is where it broke; what lies beyond could not be judged.'));
  } else put(body, h('p', { class: 'third' }, emptyText(app.view)));
  if (!focused) return;
  for (const b of body.querySelectorAll('button')) if (b.getAttribute('aria-controls') === focused) b.focus();
}

/** @param {App} app */
function createControls(app) {
  const kinds = chips('Outages', [['', 'All'], ['active', 'Ongoing']], '',
    (key) => app.go({ active: key === 'active' }, true));
  const host = h('select', { 'aria-label': 'Host' });
  host.addEventListener('change', () => app.go({ host: host.value }, true));
  const cause = h('select', { 'aria-label': 'Cause' }, h('option', { value: '' }, 'All causes'),
    ...Object.entries(CAUSE_WORDS).map(([key, word]) => h('option', { value: key }, `Cause: ${word}`)));
  cause.addEventListener('change', () => app.go({ cause: cause.value }, true));
  const report = linkInNewTab('Report', ` (printable, of ${DAYS} days, opens in a new tab)`);
  return {
    elements: [kinds, host, cause, report],
    focus: () => host.focus(),
    update() {
      if (host.options.length !== app.entries.length + 1) {
        const hosts = app.entries.map((e) => h('option', { value: e.address }, e.name));
        put(host, h('option', { value: '' }, 'All hosts'), ...hosts);
      }
      host.value = app.view.host;
      cause.value = app.view.cause;
      setPressed(kinds, app.view.active ? 'active' : '');
      const span = { from: startOfDay(app.now(), 1 - DAYS), to: Math.floor(app.now() / 60) * 60 };
      report.href = reportUrl(span, app.view.host);
    },
  };
}

/** @param {App} app */
export function outagesPage(app) {
  /** @type {Outage[]} */
  let list = [];
  let loadedKey = '';
  let loadNumber = 0;
  const title = h('h1', { tabindex: -1 }, 'Outages');
  const sum = h('p', { class: 'second' });
  const body = h('div', { class: 'card part full' });
  const controls = createControls(app);
  const download = button('CSV', () => {
    const rows = list.map((o) => csvRow(o, app.now()));
    saveCsv(`outages_${fileText(app.now())}.csv`, csv(CSV_HEAD, rows));
  });
  const element = h('div', { class: 'page' },
    h('div', { class: 'host-top' }, h('div', null, title, sum),
      h('div', { class: 'bar' }, ...controls.elements, download)),
    body);

  const draw = () => {
    const cut = list.length === MAX_OUTAGES ? ', only the newest are shown' : '';
    setText(sum, `${outageSummary(list, app.now(), DAYS)}${cut}. Time that was not measured never counts as an outage, `
      + 'and planned outages are not counted.');
    drawList(body, list, app);
  };
  const load = async () => {
    loadNumber += 1;
    const mine = loadNumber;
    /** @type {Record<string, string | number>} */
    const query = { days: DAYS, limit: MAX_OUTAGES };
    if (app.view.host) query.host_address = app.view.host;
    if (app.view.cause) query.cause = app.view.cause;
    if (app.view.active) query.active_only = 'true';
    try {
      const outages = await get('api/outages', query);
      if (mine !== loadNumber) return;
      list = outages;
      draw();
    } catch (error) {
      if (mine !== loadNumber) return;
      if (isNotFound(error)) {
        list = [];
        setText(sum, '');
        put(body, h('p', { class: 'third' }, `No host with the address ${app.view.host} is known here.`));
      } else loadedKey = '';
    }
  };
  const show = () => {
    if (!app.status) return;
    controls.update();
    updateDurations(body, app.now());
    const { host, cause, active } = app.view;
    const key = `${host} ${cause} ${active} ${app.active.map((o) => [o.id, o.cause])}`;
    if (key === loadedKey) return;
    loadedKey = key;
    load();
  };
  return {
    element, heading: title, title: () => 'Outages', show, results: show, tick: show, redraw: () => {},
    close: () => {
      loadNumber += 1;
    },
    search: controls.focus,
  };
}
