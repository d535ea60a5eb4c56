// Before every host has a result: what is done, what is under way, and what stands in its way.
import { h, put } from '../dom.js';
import { count, plural } from '../data/format.js';
import { shape } from '../charts/shapes.js';
import { duration, seconds } from '../data/time.js';

/** Nothing was measured yet, or this monitor began the database and still has hosts before it. @param {App} app @param {Status} status */
function isFirst(app, status) {
  const list = app.entries.filter((e) => e.configured);
  if (!status.first_check && list.every((e) => !e.sent)) return true;
  const started = seconds(status.monitor?.started_at);
  const begun = !status.first_check || seconds(status.first_check) >= started - 1;
  const longest = Math.max(0, ...list.map((e) => e.interval));
  return begun && app.now() - started < 2 * longest && list.some((e) => Number.isNaN(e.at));
}

/** @param {Entry[]} list @returns {[State, string]} */
function checksSoFar(list) {
  const fault = list.find((e) => e.error && !e.sent);
  if (fault) return ['down', `${fault.name}: ${fault.error}. ace-connection-logger doctor says what cures it.`];
  const done = list.filter((e) => e.sent);
  if (!done.length) return ['not_measured', 'under way, no result yet'];
  /** @param {(e: Entry) => number} of */
  const sum = (of) => count(done.reduce((n, e) => n + of(e), 0));
  return ['not_measured', `${done.length} of ${plural(list.length, 'host')}, ${sum((e) => e.received)} of ${sum((e) => e.sent)} pings answered so far`];
}

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function firstRun() {
  const list = h('ul', { class: 'steps' });
  const element = h('section', { class: 'card', 'aria-label': 'First run', hidden: true }, list,
    h('p', { class: 'third small foot' }, 'A chart needs two results and the strip gains a bar a day. To add or rename hosts, edit the configuration and reload the service: results so far are kept.'));
  let said = '';
  return {
    element,
    update(app) {
      const status = app.status;
      element.hidden = !status || !isFirst(app, status);
      if (element.hidden || !status) return;
      const running = status.monitor?.running ?? false;
      const hosts = app.entries.filter((e) => e.configured);
      const intervals = [...new Set(hosts.map((e) => e.interval))];
      const pace = intervals.length === 1 ? `a check every ${intervals[0]} s` : 'each at its own interval';
      /** @type {[State, string, string][]} */
      const steps = [
        [hosts.length ? 'up' : 'down', 'Configuration read', hosts.length ? `${plural(hosts.length, 'host')}, ${pace}` : 'no host in it'],
        [status.monitor ? 'up' : 'not_measured', status.monitor ? 'Database ready' : 'No database yet', status.database_path],
        [running ? 'up' : 'down', running ? 'Monitor running' : 'No monitor runs', running ? `for ${duration(app.now() - seconds(status.monitor?.started_at))}` : 'start it: ace-connection-logger monitor'],
      ];
      if (running) steps.push([checksSoFar(hosts)[0], 'First checks', checksSoFar(hosts)[1]]);
      const text = JSON.stringify(steps);
      if (text === said) return;
      said = text;
      put(list, ...steps.map(([state, name, what]) => h('li', null, shape(state, 14), h('b', null, name), h('span', { class: state === 'down' ? 'text-down' : 'third' }, what))));
    },
  };
}
