// What the figures mean: shown beside a figure's name to a pointer, a finger or the keyboard.
import { h } from '../dom.js';

/** @type {Record<string, string>} */
const TEXTS = {
  availability: 'The share of the measured time that was in no outage. Lost pings beside outages do not lower it.',
  measured: 'The share of the time since the first record for which there are checks. The rest is not known.',
  outages: 'How often no check in a row was answered, and how long that lasted in all. Planned ones are not counted.',
  lost: 'Pings without a reply in time, those of outages included.',
  median: 'Half of the replies were faster than this.',
  p95: '95 of 100 replies were faster than this.',
  p99: '99 of 100 replies were faster than this.',
  slowest: 'The longest time that a reply took.',
};

const text = h('div', { class: 'tip', role: 'tooltip', id: 'hint', hidden: true });
/** @type {Element | null} */
let shown = null;

function hide() {
  shown?.removeAttribute('aria-describedby');
  shown = null;
  text.hidden = true;
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
  const box = name.getBoundingClientRect();
  const left = Math.min(box.left, document.documentElement.clientWidth - text.offsetWidth - 4);
  text.style.left = `${Math.max(4, left)}px`;
  text.style.top = `${box.bottom + 4}px`;
}

for (const type of ['pointermove', 'click', 'focusin']) document.addEventListener(type, showHint);
document.addEventListener('focusout', hide);
document.addEventListener('scroll', hide, { capture: true, passive: true });
document.addEventListener('keydown', (e) => e.key === 'Escape' && hide());
