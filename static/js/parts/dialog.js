// A dialog above the page. Escape, its button and a click beside it close it.
import { button, h } from '../dom.js';

/** @param {string} title @param {...import('../dom.js').Child} content @returns {HTMLDialogElement} */
export function createDialog(title, ...content) {
  const id = `dialog-${title.toLowerCase().replace(/\W+/g, '-')}`;
  const dialog = h('dialog', { class: 'card dialog', 'aria-labelledby': id },
    h('div', { class: 'head' }, h('h2', { id }, title), button('Close', () => dialog.close())), ...content);
  dialog.addEventListener('click', (e) => {
    if (e.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  return dialog;
}
