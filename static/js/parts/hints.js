// What the figures mean: shown beside a figure's name to a pointer, a finger or the keyboard.
import { h } from '../dom.js';

/** @type {Record<string, string>} */
const TEXTS = {
  availability: 'The share of the measured time that was in no outage. Pings lost outside outages do not lower it.',
  measured: 'The share of the time since the first record for which there are checks. The rest is not known.',
  outages: 'How often the host was silent, and for how long in all. Planned outages are not counted.',
  lost: 'Pings without a reply in time, those of outages included. The true loss is in the range with 95 % certainty.',
  median: 'Half of the replies were faster than this.',
  p95: '95 of 100 replies were faster than this.',
  p99: '99 of 100 replies were faster than this.',
  slowest: 'The longest time that a reply took.',
  success: 'Replies in time, of the pings that were sent.',
  rate: 'Replies in time, of the pings that were sent. A point is a check, or the mean of several in a long range.',
  spread: 'How long the replies took: half of them less than the median, the middle half from p25 to p75.',
  distribution: 'How many replies took how long, and how many checks got which share of their replies.',
  week: 'All weeks of the range together, hour by hour, in the time of this browser.',
  'c-state': 'What the newest check found. Down: none of its pings was answered.',
  'c-host': 'The name and the address, as configured. The name leads to the charts.',
  'c-now': 'The mean time of the replies to the newest check.',
  'c-spark': 'The median of each hour, and the band from p5 to p95: all but the fastest and slowest 5 of 100 replies.',
  'c-p95': '95 of 100 replies of the last 24 hours were faster than this.',
  'c-day': 'The share of the measured time of 24 hours that was in no outage.',
  'c-strip': 'One bar a day, taller is worse. A click shows that day’s charts.',
  'c-share': 'The share of the measured time of 90 days that was in no outage.',
  'c-measured': 'The share of 90 days, or of the time since the first record, for which there are checks.',
};

const text = h('div', { class: 'tip', role: 'tooltip', id: 'hint', hidden: true });
/** @type {Element | null} */
let shown = null;

function hide() {
  shown?.removeAttribute('aria-describedby');
  shown = null;
  text.hidden = true;
}

/** Puts the text below the name. @param {Element} name */
function place(name) {
  const box = name.getBoundingClientRect();
  const left = Math.min(box.left, document.documentElement.clientWidth - text.offsetWidth - 4);
  text.style.left = `${Math.max(4, left)}px`;
  text.style.top = `${box.bottom + 4}px`;
}

/** @param {Event} e */
function showHint(e) {
  const name = e.target instanceof Element ? e.target.closest('[data-hint]') : null;
  if (!name) {
    if (e.type !== 'focusin') hide();
    return;
  }
  if (name === shown) return;
  hide();
  shown = name;
  text.textContent = TEXTS[name.getAttribute('data-hint') ?? ''] ?? '';
  // Within a landmark, where a screen reader looks for it.
  if (!text.isConnected) document.querySelector('main')?.append(text);
  text.hidden = false;
  name.setAttribute('aria-describedby', 'hint');
  place(name);
}

for (const type of ['pointermove', 'click', 'focusin']) document.addEventListener(type, showHint);
document.addEventListener('focusout', hide);
addEventListener('resize', hide);
document.addEventListener('scroll', () => {
  // The browser scrolls to what gets the focus.
  if (shown && shown === document.activeElement) place(shown);
  else hide();
}, { capture: true, passive: true });
document.addEventListener('keydown', (e) => e.key === 'Escape' && hide());
