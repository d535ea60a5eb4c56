// What must not be overlooked: a stopped monitor, a link that is down, outages. One banner a cause, not a host.
import { inWords, troubles } from '../data/cause.js';
import { age, announce, h, put, say, tickAges } from '../dom.js';
import { listed } from '../data/format.js';
import { shape } from '../charts/shapes.js';
import { duration, moment, seconds } from '../data/time.js';
import { writeView } from '../data/view.js';

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function banner() {
  const element = h('div', { class: 'banners' });
  let key = '';
  const silence = h('b', null);

  /** @param {App} app */
  const stopped = (app) => {
    const monitor = app.status?.monitor;
    const newest = app.newest;
    const end = monitor?.stopped_at ? `It was stopped cleanly at ${moment(seconds(monitor.stopped_at), app.now())}.` : 'It ended without a clean stop: power cut or killed.';
    const last = Number.isFinite(newest) ? [h('span', null, 'The last result is ', silence, ` old, from ${moment(newest, app.now())}. `)] : ['There is no result yet. '];
    return h('section', { class: 'banner tall', 'aria-label': 'Monitor stopped' }, shape('down', 20), h('div', null,
      h('p', { class: 'strong' }, monitor ? 'The monitor has stopped. Nothing is measured.' : 'No monitor runs. Nothing is measured.'),
      h('p', { class: 'second' }, ...last, monitor ? end : ''),
      h('p', { class: 'second' }, 'Start it again ', h('code', null, 'systemctl start ace-connection-logger'), ' or ', h('code', null, 'ace-connection-logger monitor'))));
  };

  /** @param {App} app @param {Trouble} t */
  const wrong = (app, t) => {
    const { state, title, which, rest } = inWords(t, app.entries);
    const since = t.since ? [` since ${moment(t.since, app.now())}, for `, age(t.since, app.now()), '. '] : ['. '];
    const host = t.kind !== 'link_down' && t.addresses.length === 1;
    return h('section', { class: state === 'down' ? 'banner' : 'banner calm', 'aria-label': title, title: t.names.length > 4 ? t.names.join(', ') : null }, shape(state, 16),
      h('p', null, h('b', null, title), which, ...since, rest),
      h('a', { class: 'button', href: host ? writeView({ page: 'host', host: t.addresses[0] }) : writeView({ page: 'outages', active: t.since > 0 }) }, host ? 'Show host' : 'Show outages', h('span', { class: 'unseen' }, `: ${listed(t.names)}`)));
  };

  return {
    element,
    update(app) {
      if (!app.status) return;
      const running = app.status.monitor?.running ?? false;
      const known = app.status.first_check || Number.isFinite(app.newest);
      const isStopped = !running && (known || app.status.monitor);
      const now = isStopped ? [] : troubles(app.active, app.entries);
      const next = isStopped ? `stopped ${app.newest} ${app.status.monitor?.stopped_at}` : JSON.stringify(now.map((t) => [t, inWords(t, app.entries)]));
      if (isStopped) say(silence, duration(app.now() - app.newest));
      tickAges(element, app.now());
      if (next === key) return;
      key = next;
      put(element, ...(isStopped ? [stopped(app)] : now.map((t) => wrong(app, t))));
      announce([...element.querySelectorAll('p')].map((p) => p.textContent).join(' '));
    },
  };
}
