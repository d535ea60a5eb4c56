// How a host is added: the lines of the configuration, its file and the commands, to copy. The page itself changes
// nothing.
import { button, h, setText } from '../dom.js';
import { createDialog } from './dialog.js';

const PLAIN = /^[A-Za-z][\w .-]*\w$|^\d+(\.\d+){3}$/;
const RESERVED = /^(true|false|yes|no|on|off|null)$/i;

/** A value as YAML reads it: plain where that is certain, otherwise quoted. @param {string} text */
const yaml = (text) => (PLAIN.test(text) && !RESERVED.test(text) ? text : JSON.stringify(text));

/** The lines that add a host below `hosts:`. @param {string} name @param {string} address */
export const hostLines = (name, address) =>
  `  - name: ${yaml(name.trim() || 'Name')}\n    address: ${yaml(address.trim() || '192.0.2.1')}`;

/** A path as a shell takes it. @param {string} path */
export const shellText = (path) => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

/** @param {HTMLElement} code */
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
    return 'Copied';
  } catch {
    // Without HTTPS a browser may not allow it: then the text is selected for the keys.
    getSelection()?.selectAllChildren(code);
    return 'Selected: press Ctrl+C';
  }
}

/** @param {string} what for a screen reader @param {HTMLElement} code @param {string} [name] class */
function copyable(what, code, name) {
  const done = button('Copy', async () => setText(done, await copy(code)));
  done.setAttribute('aria-label', `Copy ${what}`);
  done.addEventListener('blur', () => setText(done, 'Copy'));
  return h('div', { class: 'copyable' }, h('pre', { tabindex: 0, 'aria-label': what, class: name }, code), done);
}

/** @type {HTMLDialogElement | null} */
let dialog = null;

/** @param {App} app */
export function openAddHost(app) {
  const name = h('input', { id: 'host-name', autocomplete: 'off', placeholder: 'Name' });
  const address = h('input', {
    id: 'host-address', autocomplete: 'off', spellcheck: 'false', placeholder: '192.0.2.1',
  });
  const lines = h('code', null, hostLines('', ''));
  for (const input of [name, address]) {
    input.addEventListener('input', () => setText(lines, hostLines(name.value, address.value)));
  }
  const path = app.status?.config_path;
  const file = path ? ` -c ${shellText(path)}` : '';
  /** @param {string} what @param {string} command */
  const command = (what, command) => copyable(what, h('code', null, command));
  dialog?.remove();
  dialog = createDialog('Add a host',
    h('p', { class: 'second' },
      'Hosts are listed in the configuration on the measuring machine. This page changes nothing.'),
    h('ol', { class: 'howto' },
      !path && h('li', null, 'There is no configuration file yet. Write one with the built-in values, and start the '
        + 'monitor with it:', command('the command that writes a configuration', 'ace-connection-logger init-config')),
      h('li', null, h('span', null, 'Add these lines below ', h('code', null, 'hosts:'), ' in the file:'),
        path && command('the path of the configuration', path),
        h('div', { class: 'bar' }, h('label', { for: 'host-name' }, 'Name'), name,
          h('label', { for: 'host-address' }, 'Address'), address),
        copyable('the lines', lines, 'lines')),
      h('li', null, 'Check the file:', command('the command that checks', `ace-connection-logger check-config${file}`)),
      h('li', null, 'Have the monitor read it. As a service of systemd:',
        command('the command for systemd', 'sudo systemctl reload ace-connection-logger'),
        'Otherwise:', command('the command without systemd', "pkill -HUP -f 'ace-connection-logger monitor'"))),
    h('p', { class: 'third small' }, 'What is recorded stays. The new host appears here with its first check.'));
  dialog.showModal();
}
