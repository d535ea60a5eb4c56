// The days of a strip, one by one: what a day was like, by pointer, finger or arrow keys, and a way to its charts.
import { h, setText } from '../dom.js';

const tip = h('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' });

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
 *   count: () => number, text: (day: number) => string, open: (day: number) => void, label?: string,
 * }} days label: for the keyboard; without one only a pointer reaches the days */
export function dayPicker(element, { count, text, open, label }) {
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
    if (!label) return;
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
  element.classList.add('pickable');
  if (!label) return;
  element.tabIndex = 0;
  for (const [name, value] of [['role', 'slider'], ['label', label], ['valuemin', '1'], ['valuenow', '1']]) {
    element.setAttribute(name === 'role' ? name : `aria-${name}`, value);
  }
  element.addEventListener('focus', () => {
    element.setAttribute('aria-valuemax', String(count()));
    if (element.matches(':focus-visible') && count()) show(day < 0 ? count() - 1 : day);
  });
  element.addEventListener('blur', hide);
  element.addEventListener('keydown', (e) => {
    /** @type {Record<string, number>} */
    const places = { ArrowLeft: day - 1, ArrowRight: day + 1, PageUp: day - 7, PageDown: day + 7, Home: 0, End: count() };
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
