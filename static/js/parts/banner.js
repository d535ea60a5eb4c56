// What must not be overlooked: a stopped monitor, a link that is down, outages. One banner per cause, not per host.
import { shape } from '../charts/shapes.js';
import { currentProblems, problemText } from '../data/cause.js';
import { joinNames } from '../data/format.js';
import { isReached } from '../data/hosts.js';
import { duration, moment, seconds } from '../data/time.js';
import { writeView } from '../data/view.js';
import { announce, button, h, put, runningDuration, setText, updateDurations } from '../dom.js';

/** @param {App} app @param {HTMLElement} age of the last result */
function stoppedBanner(app, age) {
  const monitor = app.status?.monitor;
  const end = monitor?.stopped_at
    ? `The monitor was stopped cleanly at ${moment(seconds(monitor.stopped_at), app.now())}.`
    : 'The monitor ended without a clean stop: a power cut, a crash, or killed.';
  const last = Number.isFinite(app.newest)
    ? h('span', null, 'The last result is ', age, ` old, from ${moment(app.newest, app.now())}. `)
    : 'There is no result yet. ';
  const title = monitor ? 'The monitor has stopped.' : 'No monitor is running.';
  return h('section', { class: 'banner tall', 'aria-label': 'Monitor stopped' }, shape('down', 20), h('div', null,
    h('p', { class: 'strong' }, `${title} Nothing is measured.`),
    h('p', { class: 'second' }, last, monitor ? end : ''),
    h('p', { class: 'second' }, 'Start it again: ', h('code', null, 'systemctl start ace-connection-logger'), ' or ',
      h('code', null, 'ace-connection-logger monitor'))));
}

const ANSWER_TITLES = {
  login: 'A login is needed.',
  failed: 'The server answers with an error.',
  unwritten: 'The monitor cannot write its results.',
};

/** Something answers, but nothing new can be shown. @param {App} app @param {keyof typeof ANSWER_TITLES} kind */
function connectionBanner({ connection }, kind) {
  const isLogin = kind === 'login';
  const title = ANSWER_TITLES[kind];
  const text = isLogin
    ? 'Something between this browser and the server asks for it, so nothing new can be shown.'
    : `Nothing new can be shown: ${connection.reason}.`;
  return h('section', { class: 'banner minor', 'aria-label': title }, shape('not_measured', 16),
    h('p', null, h('b', null, title), ' ', text), isLogin && button('Log in again', () => location.reload()));
}

/** @param {App} app @param {Problem} problem */
function problemBanner(app, problem) {
  const { state, title, which, rest: now } = problemText(problem, app.entries);
  const { since, names, addresses } = problem;
  const until = knownUntil(app);
  const rest = isReached(app.present) ? now : `This was known at ${moment(until, app.now())}.`;
  const lasts = since
    ? [` since ${moment(since, app.now())}, for `, runningDuration(since, until), '. ']
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

/** No duration grows while the server cannot be asked. @param {App} app */
const knownUntil = (app) => (isReached(app.present) ? app.now() : app.connection.at);

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function banners() {
  const element = h('div', { class: 'banners' });
  const age = h('b', null);
  let drawn = '';
  return {
    element,
    update(app) {
      const { present, status, connection } = app;
      const answer = present === 'login' || present === 'failed' || present === 'unwritten' ? present : '';
      const isKnown = status?.first_check || Number.isFinite(app.newest) || status?.monitor;
      const isStopped = (present === 'stopped' || present === 'none') && isKnown;
      const problems = isStopped || !status ? [] : currentProblems(app.active, app.entries);
      if (isStopped) setText(age, duration(app.now() - app.newest));
      updateDurations(element, knownUntil(app));
      const key = JSON.stringify(isStopped
        ? ['stopped', app.newest, status?.monitor?.stopped_at]
        : [answer && [answer, connection.reason], isReached(present),
          problems.map((p) => [p, problemText(p, app.entries)])]);
      if (key === drawn) return;
      drawn = key;
      put(element, isStopped && stoppedBanner(app, age), answer && connectionBanner(app, answer),
        ...problems.map((p) => problemBanner(app, p)));
      announce([...element.querySelectorAll('p')].map((p) => p.textContent).join(' '));
    },
  };
}
