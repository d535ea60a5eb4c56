// Light or dark: what the system wants, or what was chosen on this page. It imports no other module, so that a choice
// applies before the page is drawn.

/** @typedef {'system' | 'light' | 'dark'} Theme */

const KEY = 'ace-connection-logger-theme';

/** When dark.css applies. Forced colours are the system's choice, light or dark. @param {Theme} theme */
export function darkMedia(theme) {
  const system = 'screen and (prefers-color-scheme: dark)';
  if (theme === 'dark') return `screen and (forced-colors: none), ${system}`;
  return theme === 'light' ? `${system} and (forced-colors: active)` : system;
}

/** @returns {Theme} */
function remembered() {
  try {
    const chosen = localStorage.getItem(KEY);
    return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
  } catch {
    // The browser stores nothing for this page.
    return 'system';
  }
}

/** @type {Theme} */
let chosen = 'system';

/** @param {Theme} theme */
function apply(theme) {
  chosen = theme;
  document.getElementById('dark')?.setAttribute('media', darkMedia(theme));
  dispatchEvent(new Event('theme'));
}

export const chosenTheme = () => chosen;

/** @param {Theme} theme */
export function chooseTheme(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It is forgotten when the page is closed.
  }
  apply(theme);
}

if (typeof document !== 'undefined') {
  apply(remembered());
  // Another tab of this page has changed it.
  addEventListener('storage', () => apply(remembered()));
}
