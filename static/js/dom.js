// Building and changing elements. Text always goes in as text: no markup is ever parsed.
import { duration } from './data/time.js';

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | EventListener | null | undefined>} Attributes a function is a listener: onclick */

/** @template {Element} E @param {E} element @param {Attributes} attributes @param {Child[]} children @returns {E} */
function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  put(element, ...children);
  return element;
}

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {Attributes | null} [attributes] @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]} */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes ?? {}, children);

/** @template {keyof SVGElementTagNameMap} T @param {T} tag @param {Attributes} attributes @param {...Child} children
 * @returns {SVGElementTagNameMap[T]} */
export const svg = (tag, attributes, ...children) => fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

/** @param {string} text @param {() => void} press @returns {HTMLButtonElement} */
export const button = (text, press) => h('button', { type: 'button', class: 'button', onclick: () => press() }, text);

/** A link to what opens beside this page. @param {string} text @param {string} note read, not seen @returns {HTMLAnchorElement} */
export const newTab = (text, note) => h('a', { class: 'button', target: '_blank', rel: 'noopener' }, text, h('span', { class: 'unseen' }, note));

/** How long something has lasted; tickAges keeps it right. @param {number} since @param {number} now Unix seconds */
export const age = (since, now) => h('b', { 'data-since': since }, duration(now - since));

/** @param {Element} root @param {number} now Unix seconds */
export function tickAges(root, now) {
  for (const e of root.querySelectorAll('[data-since]')) say(e, duration(now - Number(e.getAttribute('data-since'))));
}

/** Replaces what an element holds. @param {Element} element @param {...Child} children */
export function put(element, ...children) {
  element.replaceChildren(...children.filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : String(c))));
}

/** Writes a text only when it is another one: a screen reader is not told the same twice, a selection stays.
 * @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Buttons of which one is pressed. @param {string} label @param {[string, string][]} options key and text
 * @param {string} chosen @param {(key: string) => void} choose @returns {HTMLElement} */
export function chips(label, options, chosen, choose) {
  return h('div', { class: 'chips', role: 'group', 'aria-label': label }, ...options.map(([key, text]) => h('button', { type: 'button', 'aria-pressed': String(key === chosen), 'data-key': key, onclick: () => choose(key) }, text)));
}

/** @param {Element} group made by chips @param {string} chosen */
export function press(group, chosen) {
  for (const b of group.querySelectorAll('button')) b.setAttribute('aria-pressed', String(b.dataset.key === chosen));
}

/** A table of right or left aligned columns. @param {string} caption read, not seen @param {[string | HTMLElement, string?][]} heads text and class
 * @param {HTMLTableRowElement[]} rows */
export const table = (caption, heads, rows) => h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': caption }, h('table', null, h('caption', { class: 'unseen' }, caption),
  h('thead', null, h('tr', null, ...heads.map(([text, name]) => h('th', { scope: 'col', class: name }, text)))), h('tbody', null, ...rows)));

/** Hands a file to the reader. @param {string} name @param {Blob} blob */
export function save(name, blob) {
  const link = h('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  // The download has taken its own hold of the data by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** @param {string} text spoken politely by a screen reader, not seen */
export function announce(text) {
  const region = document.getElementById('spoken');
  if (region) say(region, text);
}
