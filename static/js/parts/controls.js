// Which time is shown: the ranges as buttons, and a form for any other.
import { chips, h, press } from '../dom.js';
import { RANGES, fieldText } from '../data/time.js';

/** @param {App} app @returns {{element: HTMLElement, update: (span: {from: number, to: number}) => void}} */
export function rangeControls(app) {
  const from = h('input', { type: 'datetime-local', required: true, id: 'range-from' });
  const to = h('input', { type: 'datetime-local', required: true, id: 'range-to' });
  const form = h('form', { class: 'custom card', hidden: true, 'aria-label': 'Custom range' }, h('label', { for: 'range-from' }, 'From'), from, h('label', { for: 'range-to' }, 'to'), to,
    h('button', { type: 'submit', class: 'button' }, 'Show'));
  let span = { from: 0, to: 0 };
  const buttons = chips('Range', [...RANGES.map(([key, text]) => /** @type {[string, string]} */ ([key, text])), ['custom', 'Custom']], app.view.range, (range) => {
    if (range !== 'custom') {
      form.hidden = true;
      app.go({ range });
      return;
    }
    form.hidden = !form.hidden;
    from.value = fieldText(span.from);
    to.value = fieldText(span.to);
    if (!form.hidden) from.focus();
  });
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    const a = new Date(from.value).getTime() / 1000;
    const b = new Date(to.value).getTime() / 1000;
    to.setCustomValidity(b - a >= 60 ? '' : 'The end must lie at least a minute after the start.');
    if (!form.reportValidity()) return;
    form.hidden = true;
    app.go({ range: 'custom', from: a, to: b });
  });
  to.addEventListener('input', () => to.setCustomValidity(''));
  return {
    element: h('div', { class: 'ranges' }, buttons, form),
    update(next) {
      span = next;
      press(buttons, app.view.range);
    },
  };
}
