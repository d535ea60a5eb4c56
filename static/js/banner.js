// What must not be overlooked: a stopped monitor, hosts that are down. One banner a cause, not a host.
import { announce, h, put, say } from './dom.js';
import { listed, plural } from './format.js';
import { shape } from './shapes.js';
import { duration, moment, seconds } from './time.js';
import { writeView } from './view.js';

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function banner() {
  const element = h('div', { class: 'banners' });
  let key = '';
  const age = h('b', null);

  /** @param {App} app */
  const stopped = (app) => {
    const monitor = app.status?.monitor;
    const newest = app.newest;
    const end = monitor?.stopped_at ? `It was stopped cleanly at ${moment(seconds(monitor.stopped_at), app.now())}.` : 'It ended without a clean stop: power cut or killed.';
    const last = Number.isFinite(newest) ? [h('span', null, 'The last result is ', age, ` old, from ${moment(newest, app.now())}. `)] : ['There is no result yet. '];
    put(element, h('section', { class: 'banner tall', 'aria-label': 'Monitor stopped' }, shape('down', 20), h('div', null,
      h('p', { class: 'strong' }, monitor ? 'The monitor has stopped. Nothing is measured.' : 'No monitor runs. Nothing is measured.'),
      h('p', { class: 'second' }, ...last, monitor ? end : ''),
      h('p', { class: 'second' }, 'Start it again ', h('code', null, 'systemctl start ace-connection-logger'), ' or ', h('code', null, 'ace-connection-logger monitor')))));
  };

  /** @param {App} app @param {Entry[]} down */
  const hostsDown = (app, down) => {
    const since = sinceOf(app, down);
    const names = down.length === 1 ? `${down[0].name} is down` : `${plural(down.length, 'host')} are down`;
    const which = down.length === 1 ? '' : `: ${listed(down.map((e) => e.name))}${since ? '. The first' : ''}`;
    put(element, h('section', { class: 'banner', 'aria-label': 'Hosts down' }, shape('down', 16),
      h('p', null, h('b', null, names), which, since ? ` since ${moment(since, app.now())}, for ` : '.', since ? age : null, since ? '.' : ''),
      h('a', { class: 'button', href: down.length === 1 ? writeView({ page: 'host', host: down[0].address }) : writeView({ page: 'outages', active: true }) }, down.length === 1 ? 'Show host' : 'Show outages')));
  };

  /** @param {App} app @param {Entry[]} down @returns {number} Unix seconds, 0 where it is not known */
  const sinceOf = (app, down) => {
    const starts = app.active.filter((o) => down.some((e) => e.address === o.host_address)).map((o) => seconds(o.start_time));
    return starts.length ? Math.min(...starts) : 0;
  };

  return {
    element,
    update(app) {
      if (!app.status) return;
      const down = app.entries.filter((e) => e.state === 'down');
      const running = app.status.monitor?.running ?? false;
      const known = app.status.first_check || Number.isFinite(app.newest);
      const since = sinceOf(app, down);
      const next = !running && (known || app.status.monitor) ? `stopped ${app.newest} ${app.status.monitor?.stopped_at}` : down.length ? `down ${since} ${down.map((e) => e.address)}` : '';
      say(age, duration(app.now() - (running ? since : app.newest)));
      if (next === key) return;
      key = next;
      if (!next) put(element);
      else if (next.startsWith('stopped')) stopped(app);
      else hostsDown(app, down);
      announce(element.textContent ?? '');
    },
  };
}
