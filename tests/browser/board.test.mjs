// The board for Grafana has the form that Grafana's own types describe: node board.test.mjs
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const read = async () =>
  JSON.parse(await readFile(new URL('../../packaging/grafana/ace-connection-logger.json', import.meta.url), 'utf8'));

/** The types of a panel's options, by the panel's type: folders of @grafana/schema. */
const OPTIONS = {
  bargauge: 'bargauge', heatmap: 'heatmap', stat: 'stat', 'state-timeline': 'statetimeline', table: 'table',
  timeseries: 'timeseries',
};

/** The board as the source of a program that compiles only where each field has its type. */
function source(board) {
  const lines = ["import type { Dashboard } from '@grafana/schema';"];
  for (const name of Object.values(OPTIONS)) {
    lines.push(`import type * as ${name} from './node_modules/@grafana/schema/dist/types/raw/composable/${name}/panelcfg/x/types.gen.js';`);
  }
  // JSON has the text of an enum's value.
  lines.push('type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;');
  lines.push(`export const board: Plain<Dashboard> = ${JSON.stringify(board)};`);
  for (const panel of board.panels.filter((panel) => panel.type !== 'row')) {
    const type = OPTIONS[panel.type];
    lines.push(`export const options${panel.id}: Plain<Partial<${type}.Options>> = ${JSON.stringify(panel.options)};`);
    const { custom } = panel.fieldConfig.defaults;
    if (custom) {
      lines.push(`export const fields${panel.id}: Plain<Partial<${type}.FieldConfig>> = ${JSON.stringify(custom)};`);
    }
  }
  return lines.join('\n');
}

/** What the compiler says of a board. */
async function complaints(board) {
  const file = new URL('board.gen.ts', import.meta.url);
  await writeFile(file, source(board));
  const options = '--noEmit --skipLibCheck --strict --module nodenext --moduleResolution nodenext --target es2022';
  try {
    await run('node_modules/.bin/tsc', [...options.split(' '), 'board.gen.ts'], { cwd: new URL('.', import.meta.url) });
    return '';
  } catch (error) {
    return error.stdout;
  } finally {
    await rm(file);
  }
}

test('the board has the form that Grafana describes', async () => {
  assert.equal(await complaints(await read()), '');
});

test('a board with a field that Grafana does not know is noticed', async () => {
  const board = await read();
  board.panels[1].fieldConfig.defaults.unti = 's';
  board.panels.find((panel) => panel.type === 'heatmap').options.cellGap = 'wide';
  const said = await complaints(board);
  assert.match(said, /'"?unti"?' does not exist/);
  assert.match(said, /string.* is not assignable to type 'number/);
});

test('no panels of the board overlap, and each has a title and says what it shows', async () => {
  const { panels } = await read();
  const cells = new Set();
  for (const { id, type, title, description, gridPos: { x, y, w, h } } of panels) {
    assert.ok(title && (type === 'row' || /\.$/.test(description)), `panel ${id}`);
    for (let cell = 0; cell < w * h; cell++) {
      const place = `${x + (cell % w)} ${y + Math.floor(cell / w)}`;
      assert.ok(x + w <= 24 && !cells.has(place), `panel ${id} at ${place}`);
      cells.add(place);
    }
  }
  assert.equal(new Set(panels.map((panel) => panel.id)).size, panels.length);
});
