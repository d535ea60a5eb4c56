// Before there is a result: what is done, what is under way, and what stands in its way.
import { h, put } from './dom.js';
import { plural } from './format.js';
import { shape } from './shapes.js';
import { duration, seconds } from './time.js';

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function firstRun() {
  const list = h('ul', { class: 'steps' });
  const element = h('section', { class: 'card', 'aria-label': 'First run', hidden: true }, list);
  let said = '';
  return {
    element,
    update(app) {
      const status = app.status;
      element.hidden = !status || Boolean(status.first_check) || Number.isFinite(app.newest);
      if (element.hidden || !status) return;
      const running = status.monitor?.running ?? false;
      const faults = app.entries.filter((e) => e.error);
      const intervals = [...new Set(status.hosts.map((e) => e.interval_seconds))];
      const pace = intervals.length === 1 ? `a check every ${intervals[0]} s` : 'each at its own interval';
      /** @type {[State, string, string][]} */
      const steps = [
        [status.hosts.length ? 'up' : 'down', 'Configuration read', status.hosts.length ? `${plural(status.hosts.length, 'host')}, ${pace}` : 'no host in it'],
        ['up', 'Database ready', status.database_path],
        [running ? 'up' : 'down', running ? 'Monitor running' : 'No monitor runs', running ? `for ${duration(app.now() - seconds(status.monitor?.started_at))}` : 'start it: ace-connection-logger monitor'],
        [faults.length ? 'down' : 'not_measured', 'First checks', faults.length ? `${faults[0].name}: ${faults[0].error}. ace-connection-logger doctor says what cures it.` : 'under way, no result yet'],
      ];
      const text = JSON.stringify(steps);
      if (text === said) return;
      said = text;
      put(list, ...steps.map(([state, name, what]) => h('li', null, shape(state, 14), h('b', null, name), h('span', { class: state === 'down' ? 'text-down' : 'third' }, what))));
    },
  };
}
