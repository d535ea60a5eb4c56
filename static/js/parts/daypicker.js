// The days of a strip, one by one: what a day was like, by pointer, finger or arrow keys, and a way to its charts.
import { dayBars } from '../data/days.js';
import { dayRange, dayText } from '../data/daytext.js';
import { MAX_COMPARED } from '../data/view.js';
import { h, setText } from '../dom.js';

const tip = h('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' });

addEventListener('resize', () => {
  tip.hidden = true;
});

/** Shows a text above a place, in pixels of the window. @param {string} text @param {number} x @param {number} y */
function showTip(text, x, y) {
  if (!tip.isConnected) document.body.append(tip);
  setText(tip, text);
  tip.hidden = false;
  const width = tip.offsetWidth;
  tip.style.left = `${Math.max(4, Math.min(x - width / 2, document.documentElement.clientWidth - width - 4))}px`;
  tip.style.top = `${Math.max(4, y - tip.offsetHeight - 6)}px`;
}

/** @param {HTMLElement} element as wide as its days, today at the right
 * @param {{
 *   count: () => number, text: (day: number) => string, open: (day: number) => void, hasKeys: boolean,
 * }} days hasKeys: whether the keyboard reaches them */
function dayPicker(element, { count, text, open, hasKeys }) {
  let day = -1;
  let isTouched = false;
  const hide = () => {
    tip.hidden = true;
  };
  /** @param {number} next */
  const show = (next) => {
    const box = element.getBoundingClientRect();
    day = Math.max(0, Math.min(next, count() - 1));
    showTip(text(day), box.left + ((day + 0.5) / count()) * box.width, box.top);
    if (!hasKeys) return;
    element.setAttribute('aria-valuenow', String(day + 1));
    element.setAttribute('aria-valuetext', text(day));
  };
  /** @param {MouseEvent} e */
  const dayAt = (e) => {
    const box = element.getBoundingClientRect();
    return Math.max(0, Math.min(count() - 1, Math.floor(((e.clientX - box.left) / box.width) * count())));
  };
  element.addEventListener('pointermove', (e) => {
    if (e.pointerType !== 'touch' && count()) show(dayAt(e));
  });
  element.addEventListener('pointerleave', (e) => {
    if (e.pointerType !== 'touch') hide();
  });
  element.addEventListener('pointerdown', (e) => {
    isTouched = e.pointerType === 'touch';
  });
  element.addEventListener('click', (e) => {
    if (!count()) return;
    const at = dayAt(e);
    // A finger covers several days: it first shows which one it has found.
    if (isTouched && (tip.hidden || at !== day)) show(at);
    else {
      hide();
      open(at);
    }
  });
  if (!hasKeys) return;
  element.setAttribute('aria-valuemin', '1');
  element.addEventListener('focusin', () => {
    element.setAttribute('aria-valuemax', String(count()));
    if (element.matches(':focus-visible') && count()) show(day < 0 ? count() - 1 : day);
  });
  element.addEventListener('blur', hide);
  element.addEventListener('keydown', (e) => {
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: day - 1, ArrowRight: day + 1, PageUp: day - 7, PageDown: day + 7, Home: 0, End: count(),
    };
    if (e.key === 'Escape') hide();
    else if (e.key === 'Enter' && day >= 0) {
      hide();
      open(day);
    } else if (e.key in places) show(places[e.key]);
    else return;
    e.preventDefault();
    e.stopPropagation();
  });
}

/** Shows the charts of a day. @param {App} app @param {Partial<View>} change @param {number} i */
export function openDay(app, change, i) {
  if (app.overview) app.go({ ...change, range: 'custom', ...dayRange(app.overview.first_day, i, app.now()) });
}

/** The days of a host. @param {HTMLElement} element @param {App} app @param {() => string} host its address
 * @param {(i: number) => void} open @param {boolean} [hasKeys] */
export function pickHostDay(element, app, host, open, hasKeys = false) {
  const days = () => app.overview?.hosts.find((o) => o.host_address === host())?.days;
  dayPicker(element, {
    hasKeys,
    open,
    count: () => days()?.state.length ?? 0,
    text: (i) => {
      const shown = days();
      if (!shown || !app.overview) return '';
      return dayText(app.overview.first_day, dayBars(shown), i, { measured: shown.measured_seconds });
    },
  });
}

/** The days of most hosts. A day leads to the charts of those that were down longest on it.
 * @param {HTMLElement} element @param {App} app @param {() => DayBars} bars */
export function pickLineDay(element, app, bars) {
  dayPicker(element, {
    hasKeys: true,
    count: () => app.overview?.days ?? 0,
    text: (i) => (app.overview
      ? dayText(app.overview.first_day, bars(), i, { letter: app.overview.line.days[i] }) : ''),
    open(i) {
      const hosts = (app.overview?.hosts ?? []).filter((o) => o.configured);
      hosts.sort((a, b) => (b.days.down_seconds[i] ?? 0) - (a.days.down_seconds[i] ?? 0));
      const [first, ...more] = hosts.slice(0, MAX_COMPARED).map((o) => o.host_address);
      openDay(app, more.length ? { page: 'compare', hosts: [first, ...more] } : { page: 'host', host: first }, i);
    },
  });
}
