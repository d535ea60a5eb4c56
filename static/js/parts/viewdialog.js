// How the page is shown: its colours, the view for a wall, and the keys.
import { chips, button, h, setPressed } from '../dom.js';
import { chooseTheme, chosenTheme } from '../theme.js';
import { createDialog } from './dialog.js';

/** @type {[string, string][]} */
const THEMES = [['system', 'As the system'], ['light', 'Light'], ['dark', 'Dark']];
/** @type {[string, string][]} keys and what they do */
const KEYS = [
  ['/', 'Filter or find hosts'],
  ['f', 'Full screen, for a wall; Escape leaves it'],
  ['?', 'These keys'],
  ['Escape', 'Close a form or a dialog; in a chart, go back'],
  ['← →', 'Charts: move in time'],
  ['+ −', 'Charts: zoom in and out'],
  ['Shift ← →', 'Charts: read the values of one point after another'],
];

/** Shows the overview alone, large, and on the whole screen where the browser allows it; or the page as before.
 * @param {App} app */
export function toggleWall(app) {
  const wall = !app.view.wall;
  app.go({ wall, page: wall ? 'overview' : app.view.page }, true);
  if (!wall) {
    if (document.fullscreenElement) document.exitFullscreen();
    return;
  }
  document.documentElement.requestFullscreen?.().catch(() => {
    // Not allowed here: the view is shown in the window.
  });
}

/** @type {HTMLDialogElement | null} */
let dialog = null;

/** @param {App} app */
export function openViewDialog(app) {
  /** @type {HTMLElement} */
  const themes = chips('Colours', THEMES, chosenTheme(), (key) => {
    chooseTheme(key === 'light' || key === 'dark' ? key : 'system');
    setPressed(themes, key);
  });
  const wall = button('Full screen', () => {
    dialog?.close();
    toggleWall(app);
  });
  dialog?.remove();
  dialog = createDialog('View and keys',
    h('dl', { class: 'keylist' },
      h('dt', null, 'Colours'), h('dd', null, themes),
      h('dt', null, 'For a wall'), h('dd', null, wall, ' ',
        h('span', { class: 'third' }, 'Only the state, large; a link to it: ', h('code', null, '#wall=1'))),
      ...KEYS.flatMap(([keys, what]) => [
        h('dt', null, ...keys.split(' ').flatMap((key) => [h('kbd', null, key), ' '])), h('dd', null, what),
      ])));
  dialog.showModal();
}
