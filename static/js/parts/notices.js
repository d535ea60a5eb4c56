// The monitor's own trouble: notices, and checks for an engine, that were to be sent and were not, and damage of the
// database.
import { shape } from '../charts/shapes.js';
import { plural } from '../data/format.js';
import { moment, seconds } from '../data/time.js';
import { announce, h, put } from '../dom.js';

/** @param {NoticeQueue} queue @param {number} now */
export function noticesText(queue, now) {
  const why = {
    no_command: 'no alerts.command is configured',
    no_monitor: 'the monitor is not running',
    limit: 'as many as alerts.most_per_hour were sent within an hour',
    failed: `the command failed: ${queue.failure}`,
  }[queue.reason];
  const wait = queue.waiting === 1 ? 'has been waiting' : 'have been waiting';
  const others = queue.others_pass ? '; later ones were sent' : '';
  return `${plural(queue.waiting, 'notice')} ${wait} since ${moment(seconds(queue.since), now)}: ${why}${others}.`;
}

/** @param {PushStatus} push @param {number} now */
export function pushText(push, now) {
  const at = (/** @type {string | null} */ time) => (time ? moment(seconds(time), now) : '');
  const last = `, the last${push.refused_at ? ` at ${at(push.refused_at)}` : ''}: ${push.refusal ?? ''}`;
  const refused = push.refused ? `${push.refused} of the checks and events refused${last}` : '';
  if (push.reason === 'refused') return `push: ${refused}.`;
  const why = {
    no_monitor: 'the monitor is not running',
    failed: `it fails${push.failing_since ? ` since ${at(push.failing_since)}` : ''}: ${push.failure}`,
    sending: 'they are being sent',
  }[push.reason];
  const checks = push.oldest ? [`checks from ${at(push.oldest)} to ${at(push.newest)}`] : [];
  const events = push.events ? [plural(push.events, 'event')] : [];
  const what = [...checks, ...events].join(' and ') || 'nothing that waits';
  return `push: ${[`${what} not sent yet: ${why}`, refused].filter(Boolean).join('; ')}.`;
}

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function notices() {
  const element = h('div', { class: 'banners' });
  let drawn = '';
  return {
    element,
    update(app) {
      const queue = app.status?.notices;
      const waiting = queue ? [noticesText(queue, app.now())] : [];
      const push = app.status?.push ? [pushText(app.status.push, app.now())] : [];
      const damage = app.status?.damage ?? [];
      const text = [...damage, ...waiting, ...push].join(' ');
      if (text === drawn) return;
      drawn = text;
      const banner = (/** @type {string} */ label) => (/** @type {string} */ line) =>
        h('section', { class: 'banner minor', 'aria-label': label }, shape('degraded', 16), h('p', null, line));
      put(
        element,
        ...damage.map(banner('Damage of the database')),
        ...waiting.map(banner('Notices')),
        ...push.map(banner('Push')),
      );
      announce(text);
    },
  };
}
