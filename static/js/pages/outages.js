// The page of outages: the whole record a part at a time, by host and cause, all or only ongoing ones.
import { get, isNotFound } from '../data/api.js';
import { CAUSE_WORDS } from '../data/cause.js';
import { csv } from '../data/format.js';
import { emptyText, sumText } from '../data/outages.js';
import { reportUrl } from '../data/queries.js';
import { fileText, seconds, startOfDay } from '../data/time.js';
import { button, chips, h, linkInNewTab, put, saveCsv, setPressed, setText, updateDurations } from '../dom.js';
import { incidentTable } from '../parts/incidentlist.js';
import { outageSeconds } from '../parts/outagelist.js';

const DAYS = 90;
const ROWS = 100;
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

/** Keeps the focus on the button that has it. @param {HTMLElement} body @param {IncidentRow[]} list @param {App} app
 * @param {HTMLElement | null} more */
function drawList(body, list, app, more) {
  const { activeElement } = document;
  const focused = body.contains(activeElement) ? activeElement?.getAttribute('aria-controls') : null;
  if (list.length) {
    put(body, incidentTable(list, app.now(), () => drawList(body, list, app, more)), more,
      h('p', { class: 'third small' },
        'Link, gateway, provider, DNS, host: the square is where it broke; what lies beyond could not be judged.'));
  } else put(body, h('p', { class: 'third' }, emptyText(app.view, seconds(app.status?.first_check), app.now())));
  if (!focused) return;
  for (const b of body.querySelectorAll('button')) if (b.getAttribute('aria-controls') === focused) b.focus();
}

/** @param {App} app */
function createControls(app) {
  const kinds = chips('Outages', [['', 'All outages'], ['active', 'Ongoing outages']], '',
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
  /** @type {IncidentRow[]} */
  let list = [];
  /** @type {IncidentList | null} */
  let newest = null;
  let older = '';
  let loadedKey = '';
  let loadNumber = 0;
  const title = h('h1', { tabindex: -1 }, 'Outages');
  const sum = h('p', { class: 'second' });
  const body = h('div', { class: 'card part full' });
  const controls = createControls(app);
  const download = button('CSV', () => {
    const rows = list.flatMap((i) => i.outages).map((o) => csvRow(o, app.now()));
    saveCsv(`outages_${fileText(app.now())}.csv`, csv(CSV_HEAD, rows));
  });
  const more = button('Show older outages', () => load(older));
  more.setAttribute('aria-controls', 'older');
  const element = h('div', { class: 'page' },
    h('div', { class: 'host-top' }, h('div', null, title, sum),
      h('div', { class: 'bar' }, ...controls.elements, download)),
    body);

  const draw = () => {
    const from = startOfDay(app.now(), 1 - DAYS);
    if (newest) setText(sum, sumText(newest, app.view, DAYS, from, seconds(app.status?.first_check), app.now()));
    drawList(body, list, app, older ? more : null);
  };
  /** @param {string} before RFC 3339; what is listed stays, and older ones follow. All anew without */
  async function load(before) {
    loadNumber += 1;
    const mine = loadNumber;
    /** @type {Record<string, string | number>} */
    const query = { from: startOfDay(app.now(), 1 - DAYS), limit: before ? ROWS : Math.max(ROWS, list.length) };
    if (before) query.before = before;
    if (app.view.host) query.host_address = app.view.host;
    if (app.view.cause) query.cause = app.view.cause;
    if (app.view.active) query.active_only = 'true';
    try {
      /** @type {IncidentList} */
      const answer = await get('api/outages/by-incident', query);
      if (mine !== loadNumber) return;
      list = before ? [...list, ...answer.incidents] : answer.incidents;
      newest = answer;
      older = answer.older ?? '';
      draw();
    } catch (error) {
      if (mine !== loadNumber) return;
      if (isNotFound(error)) {
        list = [];
        setText(sum, '');
        put(body, h('p', { class: 'third' }, `No host with the address ${app.view.host} is known here.`));
      } else loadedKey = '';
    }
  }
  const show = () => {
    if (!app.status) return;
    controls.update();
    updateDurations(body, app.now());
    const { host, cause, active } = app.view;
    const filter = `${host} ${cause} ${active}`;
    const key = `${filter} ${app.active.map((o) => [o.id, o.cause])}`;
    if (key === loadedKey) return;
    if (!loadedKey.startsWith(`${filter} `)) list = [];
    loadedKey = key;
    load('');
  };
  return {
    element, heading: title, title: () => 'Outages', show, results: show, tick: show, redraw: () => {},
    close: () => {
      loadNumber += 1;
    },
    search: controls.focus,
    printed() {
      const { active, host, cause } = app.view;
      const name = app.entries.find((e) => e.address === host)?.name ?? host;
      const word = CAUSE_WORDS[/** @type {Cause} */ (cause)] ?? cause;
      const only = [active && 'ongoing ones', host && `those of ${name}`, cause && `those with cause ${word}`];
      const text = only.filter(Boolean).join(', ');
      return text && `Only ${text}.`;
    },
  };
}
