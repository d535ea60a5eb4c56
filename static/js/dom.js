// Creates and changes elements. Text is always set as text: markup is never parsed.
import { duration } from './data/time.js';

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {string | number | boolean | EventListener | null | undefined} AttributeValue */
/** @typedef {Record<string, AttributeValue>} Attributes a function is a listener: onclick */

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

/** Creates an HTML element. @template {keyof HTMLElementTagNameMap} T @param {T} tag
 * @param {Attributes | null} [attributes] @param {...Child} children @returns {HTMLElementTagNameMap[T]} */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes ?? {}, children);

/** Creates an SVG element. @template {keyof SVGElementTagNameMap} T @param {T} tag
 * @param {Attributes} attributes @param {...Child} children @returns {SVGElementTagNameMap[T]} */
export const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

/** Replaces the children of an element. @param {Element} element @param {...Child} children */
export function put(element, ...children) {
  const shown = children.filter((c) => c !== null && c !== undefined && c !== false);
  element.replaceChildren(...shown.map((c) => (c instanceof Node ? c : String(c))));
}

/** Sets a text only if it differs: a screen reader does not repeat it, and a selection stays.
 * @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {string} text @param {() => void} onClick */
export const button = (text, onClick) =>
  h('button', { type: 'button', class: 'button', onclick: () => onClick() }, text);

/** A link that opens in a new tab. @param {string} text @param {string} note for screen readers */
export const linkInNewTab = (text, note) =>
  h('a', { class: 'button', target: '_blank', rel: 'noopener' }, text, h('span', { class: 'unseen' }, note));

/** How long something has lasted; updateDurations updates it. @param {number} since
 * @param {number} now Unix seconds */
export const runningDuration = (since, now) => h('b', { 'data-since': since }, duration(now - since));

/** @param {Element} root @param {number} now Unix seconds */
export function updateDurations(root, now) {
  for (const e of root.querySelectorAll('[data-since]')) {
    setText(e, duration(now - Number(e.getAttribute('data-since'))));
  }
}

/** Buttons of which one is pressed. @param {string} label @param {[string, string][]} options key and text
 * @param {string} pressed @param {(key: string) => void} choose @returns {HTMLElement} */
export function chips(label, options, pressed, choose) {
  const buttons = options.map(([key, text]) => h('button', {
    type: 'button', 'aria-pressed': String(key === pressed), 'data-key': key, onclick: () => choose(key),
  }, text));
  return h('div', { class: 'chips', role: 'group', 'aria-label': label }, ...buttons);
}

/** @param {Element} group made by chips @param {string} pressed */
export function setPressed(group, pressed) {
  for (const b of group.querySelectorAll('button')) b.setAttribute('aria-pressed', String(b.dataset.key === pressed));
}

/** A table that scrolls sideways by itself. @param {string} caption for screen readers
 * @param {[string | HTMLElement, string?][]} heads text and class @param {HTMLTableRowElement[]} rows */
export function table(caption, heads, rows) {
  const cells = heads.map(([text, name]) => h('th', { scope: 'col', class: name }, text));
  return h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': caption },
    h('table', null, h('caption', { class: 'unseen' }, caption),
      h('thead', null, h('tr', null, ...cells)), h('tbody', null, ...rows)));
}

/** Offers a file for download. @param {string} name @param {Blob} blob */
export function save(name, blob) {
  const link = h('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  // By then the download has its own reference to the data.
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** @param {string} name @param {string} text as format.js writes it */
export const saveCsv = (name, text) => save(name, new Blob([text], { type: 'text/csv' }));

/** A name with an explanation of hints.js. @param {string} hint @param {string} text */
export const explained = (hint, text) => h('span', { tabindex: 0, 'data-hint': hint }, text);

/** The texts of an element's children, with a comma between them, as a screen reader speaks them.
 * @param {Element} element */
export const spokenText = (element) => [...element.children].map((e) => e.textContent).join(', ');

/** Has a screen reader speak a text, without interrupting. @param {string} text */
export function announce(text) {
  const region = document.getElementById('spoken');
  if (region) setText(region, text);
}

const REACHED = ['pointermove', 'click', 'focusin'];

/** Calls `attach` when a pointer, a finger or the keyboard first reaches an element, which hears that event again
 * afterwards. Size: so what is needed only then is loaded only then.
 * @template {HTMLElement} T @param {T} element @param {() => Promise<void>} attach @returns {T} */
export function whenReached(element, attach) {
  /** The last one, or a click before that. @type {any} */
  let event = null;
  /** @param {Event} e */
  const reach = (e) => {
    const isFirst = !event;
    if (event?.type !== 'click') event = e;
    if (!isFirst) return;
    attach().then(() => {
      for (const type of REACHED) element.removeEventListener(type, reach);
      element.dispatchEvent(new event.constructor(event.type, event));
    }, () => {
      event = null;
    });
  };
  for (const type of REACHED) element.addEventListener(type, reach);
  return element;
}
