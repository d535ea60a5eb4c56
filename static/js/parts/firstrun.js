// The first run, before every host has a result: what is done, what is in progress, and what prevents it.
import { shape } from '../charts/shapes.js';
import { count, plural } from '../data/format.js';
import { duration, seconds } from '../data/time.js';
import { h, put } from '../dom.js';

/** Nothing was measured yet, or this monitor created the database and some hosts have no result.
 * @param {App} app @param {Status} status */
function isFirstRun(app, status) {
  const hosts = app.entries.filter((e) => e.configured);
  const started = seconds(status.monitor?.started_at);
  const isOwnDatabase = !status.first_check || seconds(status.first_check) >= started - 1;
  if (isOwnDatabase && hosts.every((e) => !e.sent)) return true;
  const longest = Math.max(0, ...hosts.map((e) => e.interval));
  return isOwnDatabase && app.now() - started < 2 * longest && hosts.some((e) => Number.isNaN(e.at));
}

/** @param {HostEntry[]} hosts @returns {[State, string]} */
function checksSoFar(hosts) {
  const failed = hosts.find((e) => e.error && !e.sent);
  if (failed) {
    const cure = 'Run ace-connection-logger doctor: it prints how to fix this.';
    return ['down', `${failed.name}: ${failed.error}. ${cure}`];
  }
  const checked = hosts.filter((e) => e.sent);
  if (!checked.length) return ['not_measured', 'in progress, no result yet'];
  const received = count(checked.reduce((sum, e) => sum + e.received, 0));
  const sent = count(checked.reduce((sum, e) => sum + e.sent, 0));
  const hostsText = `${checked.length} of ${plural(hosts.length, 'host')}`;
  return ['not_measured', `${hostsText}, ${received} of ${sent} pings answered so far`];
}

/** @param {App} app @param {Status} status @returns {[State, string, string][]} state, name, explanation */
function stepsOf(app, status) {
  const hosts = app.entries.filter((e) => e.configured);
  const intervals = new Set(hosts.map((e) => e.interval));
  const interval = intervals.size === 1 ? `a check every ${[...intervals][0]} s` : 'each at its own interval';
  /** @type {[State, string, string][]} */
  const steps = [
    hosts.length
      ? ['up', 'Configuration read', `${plural(hosts.length, 'host')}, ${interval}`]
      : ['down', 'Configuration read', 'no host in it'],
    status.monitor
      ? ['up', 'Database ready', status.database_path]
      : ['not_measured', 'No database yet', status.database_path],
  ];
  if (status.monitor?.running) {
    steps.push(['up', 'Monitor running', `for ${duration(app.now() - seconds(status.monitor.started_at))}`]);
    const [state, text] = checksSoFar(hosts);
    steps.push([state, 'First checks', text]);
  } else steps.push(['down', 'No monitor is running', 'start it: ace-connection-logger monitor']);
  return steps;
}

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function firstRun() {
  const list = h('ul', { class: 'steps' });
  const element = h('section', { class: 'card', 'aria-label': 'First run', hidden: true }, list,
    h('p', { class: 'third small foot' }, 'A chart needs two results, and the strip gains one bar per day. '
      + 'To add or rename hosts, edit the configuration and reload the service: existing results are kept.'));
  let drawn = '';
  return {
    element,
    update(app) {
      const { status, present } = app;
      // What was done and is in progress is not known meanwhile.
      if (status && !['now', 'none', 'stopped'].includes(present)) return;
      element.hidden = !status || !isFirstRun(app, status);
      if (element.hidden || !status) return;
      const steps = stepsOf(app, status);
      const key = JSON.stringify(steps);
      if (key === drawn) return;
      drawn = key;
      put(list, ...steps.map(([state, name, text]) => h('li', null, shape(state, 14), h('b', null, name),
        h('span', { class: state === 'down' ? 'text-down' : 'third' }, text))));
    },
  };
}
