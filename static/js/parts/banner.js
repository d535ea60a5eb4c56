// What must not be overlooked: a stopped monitor, a link that is down, outages. One banner per cause, not per host.
import { shape } from '../charts/shapes.js';
import { currentProblems, problemText } from '../data/cause.js';
import { joinNames } from '../data/format.js';
import { duration, moment, seconds } from '../data/time.js';
import { writeView } from '../data/view.js';
import { announce, h, put, runningDuration, setText, updateDurations } from '../dom.js';

/** @param {App} app @param {HTMLElement} age of the last result */
function stoppedBanner(app, age) {
  const monitor = app.status?.monitor;
  const end = monitor?.stopped_at
    ? `It was stopped cleanly at ${moment(seconds(monitor.stopped_at), app.now())}.`
    : 'It ended without a clean stop: power cut or killed.';
  const last = Number.isFinite(app.newest)
    ? h('span', null, 'The last result is ', age, ` old, from ${moment(app.newest, app.now())}. `)
    : 'There is no result yet. ';
  const title = monitor ? 'The monitor has stopped.' : 'No monitor is running.';
  return h('section', { class: 'banner tall', 'aria-label': 'Monitor stopped' }, shape('down', 20), h('div', null,
    h('p', { class: 'strong' }, `${title} Nothing is measured.`),
    h('p', { class: 'second' }, last, monitor ? end : ''),
    h('p', { class: 'second' }, 'Start it again ', h('code', null, 'systemctl start ace-connection-logger'), ' or ',
      h('code', null, 'ace-connection-logger monitor'))));
}

/** @param {App} app @param {Problem} problem */
function problemBanner(app, problem) {
  const { state, title, which, rest } = problemText(problem, app.entries);
  const { since, names, addresses } = problem;
  const lasts = since
    ? [` since ${moment(since, app.now())}, for `, runningDuration(since, app.now()), '. ']
    : ['. '];
  const isOneHost = problem.kind !== 'link_down' && addresses.length === 1;
  const href = isOneHost
    ? writeView({ page: 'host', host: addresses[0] })
    : writeView({ page: 'outages', active: since > 0 });
  return h('section', {
    class: state === 'down' ? 'banner' : 'banner minor', 'aria-label': title,
    title: names.length > 4 ? names.join(', ') : null,
  },
  shape(state, 16),
  h('p', null, h('b', null, title), which, ...lasts, rest),
  h('a', { class: 'button', href }, isOneHost ? 'Show host' : 'Show outages',
    h('span', { class: 'unseen' }, `: ${joinNames(names)}`)));
}

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function banners() {
  const element = h('div', { class: 'banners' });
  const age = h('b', null);
  let drawn = '';
  return {
    element,
    update(app) {
      if (!app.status) return;
      const { monitor, first_check: firstCheck } = app.status;
      const isKnown = firstCheck || Number.isFinite(app.newest) || monitor;
      const isStopped = !monitor?.running && isKnown;
      const problems = isStopped ? [] : currentProblems(app.active, app.entries);
      if (isStopped) setText(age, duration(app.now() - app.newest));
      updateDurations(element, app.now());
      const key = isStopped
        ? `stopped ${app.newest} ${monitor?.stopped_at}`
        : JSON.stringify(problems.map((p) => [p, problemText(p, app.entries)]));
      if (key === drawn) return;
      drawn = key;
      put(element, ...(isStopped ? [stoppedBanner(app, age)] : problems.map((p) => problemBanner(app, p))));
      announce([...element.querySelectorAll('p')].map((p) => p.textContent).join(' '));
    },
  };
}
