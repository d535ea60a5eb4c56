// Notices that wait: what was to be sent and was not.
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

/** @returns {{element: HTMLElement, update: (app: App) => void}} */
export function notices() {
  const element = h('div', { class: 'banners' });
  let drawn = '';
  return {
    element,
    update(app) {
      const queue = app.status?.notices;
      const text = queue ? noticesText(queue, app.now()) : '';
      if (text === drawn) return;
      drawn = text;
      put(element, text && h('section', { class: 'banner minor', 'aria-label': 'Notices' },
        shape('degraded', 16), h('p', null, text)));
      announce(text);
    },
  };
}
