// Which modules the page loads first. The build finds them in the imports; these tests do so independently.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import { home } from '../harness.mjs';

const text = async (path) => (await fetch(home.url + path)).text();

/** A module and all that it imports statically. @param {string} path
 * @param {Map<string, string>} [found] path to text */
async function closure(path, found = new Map()) {
  if (found.has(path)) return found;
  const body = await text(path);
  found.set(path, body);
  for (const [, next] of body.matchAll(/^import [^;]*?'(\.[^;']+)';/gm)) {
    await closure(new URL(next, `http://x/${path}`).pathname.slice(1), found);
  }
  return found;
}
const firstPage = async () =>
  new Map([
    ...(await closure('js/theme.js')),
    ...(await closure('js/early.js')),
    ...(await closure('js/main.js')),
    ...(await closure('js/pages/overview.js')),
  ]);

test('index.html loads exactly the modules of the first page', async () => {
  const html = await text('');
  const loaded = [...html.matchAll(/(?:modulepreload" href|src)="(js\/[\w/]+\.js)"/g)].map((m) => m[1]);
  const needed = await firstPage();
  assert.deepEqual(loaded.sort(), [...needed.keys()].sort());
  const files = [...needed.values(), html, await text('style.css'), await text('dark.css'), await text('icon.svg')];
  const bytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
  assert.doesNotMatch(await text('style.css'), /\/\*/, 'comments are not sent');
  // The API's answers for three hosts and all heads are 15 kB more, and 60 kB are allowed in all.
  assert.ok(bytes < 43500, `${bytes} bytes before any answer`);
});

test('the whole page has at most 95 kB packed', async () => {
  const folder = new URL('../../../static/', import.meta.url);
  const files = (await readdir(folder, { recursive: true })).filter((file) => /\.\w+$/.test(file));
  assert.ok(files.includes('js/main.js') && files.includes('style.css'));
  const sizes = await Promise.all(files.map(async (file) => gzipSync(await text(file)).length));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(bytes < 95000, `${bytes} bytes`);
});

test('a link to another page preloads exactly the modules which that page adds', async () => {
  const html = await text('');
  const needed = await firstPage();
  const listed = [...html.matchAll(/ data-(\w+)="([\w/ ]+)"/g)].map(([, page, names]) => [
    page,
    names.split(' ').map((name) => `js/${name}.js`),
  ]);
  const lists = Object.fromEntries(listed.filter(([page]) => page !== 'page'));
  assert.deepEqual(Object.keys(lists).sort(), ['compare', 'host', 'outages']);
  for (const page of ['host', 'outages', 'compare']) {
    const more = [...(await closure(`js/pages/${page}.js`)).keys()].filter((path) => !needed.has(path));
    assert.deepEqual(lists[page].sort(), more.sort(), page);
  }
});

test('modules are served as they are in the source, without comments and with the same line numbers', async () => {
  const folder = new URL('../../../static/js/', import.meta.url);
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.js'));
  const options = { compilerOptions: { target: 'esnext', module: 'esnext', removeComments: true } };
  for (const file of files) {
    const [served, original] = [await text(`js/${file}`), await readFile(new URL(file, folder), 'utf8')];
    const [code, originalCode] = [served, original].map((source) => ts.transpileModule(source, options).outputText);
    assert.equal(code, originalCode, file);
    assert.doesNotMatch(served, /^ *(\/\/|\/?\*)/m, file);
    assert.equal(served.split('\n').length, original.split('\n').length, file);
  }
});
