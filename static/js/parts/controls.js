// Which range of time is shown: buttons for the usual ranges, and a form for any other.
import { RANGES, fieldText } from '../data/time.js';
import { chips, h, setPressed } from '../dom.js';

const MIN_SECONDS = 60;

/** @param {App} app @returns {{element: HTMLElement, update: (span: TimeRange) => void}} */
export function rangeControls(app) {
  let span = { from: 0, to: 0 };
  const from = h('input', { type: 'datetime-local', required: true, id: 'range-from' });
  const to = h('input', { type: 'datetime-local', required: true, id: 'range-to' });
  const form = h('form', { class: 'custom card', hidden: true, 'aria-label': 'Custom range' },
    h('label', { for: 'range-from' }, 'From'), from, h('label', { for: 'range-to' }, 'to'), to,
    h('button', { type: 'submit', class: 'button' }, 'Show'));
  /** @param {boolean} isOpen */
  const open = (isOpen) => {
    form.hidden = !isOpen;
    custom?.setAttribute('aria-expanded', String(isOpen));
  };
  /** @param {string} range */
  const choose = (range) => {
    if (range !== 'custom') {
      open(false);
      app.go({ range });
      return;
    }
    open(form.hidden);
    from.value = fieldText(span.from);
    to.value = fieldText(span.to);
    if (!form.hidden) from.focus();
  };
  /** @type {[string, string][]} */
  const options = [...RANGES.map(([key, text]) => /** @type {[string, string]} */ ([key, text])), ['custom', 'Custom']];
  const buttons = chips('Range', options, app.view.range, choose);
  const custom = buttons.querySelector('[data-key=custom]');
  custom?.setAttribute('aria-expanded', 'false');
  form.addEventListener('keydown', (e) => {
    if (e.key !== 'Escape') return;
    open(false);
    if (custom instanceof HTMLElement) custom.focus();
  });
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    const start = new Date(from.value).getTime() / 1000;
    const end = new Date(to.value).getTime() / 1000;
    to.setCustomValidity(end - start >= MIN_SECONDS ? '' : 'The end must be at least one minute after the start.');
    if (!form.reportValidity()) return;
    open(false);
    app.go({ range: 'custom', from: start, to: end });
  });
  to.addEventListener('input', () => to.setCustomValidity(''));
  return {
    element: h('div', { class: 'ranges' }, buttons, form),
    update(next) {
      span = next;
      setPressed(buttons, app.view.range);
    },
  };
}
