// Every feature of the page, used in headless Chromium with the real program.
import { after, before } from 'node:test';
import { start, stop } from './harness.mjs';

before(start);
after(stop);
await import('./views/modules.mjs');
await import('./views/overview.mjs');
await import('./views/host.mjs');
await import('./views/charts.mjs');
await import('./views/outages.mjs');
await import('./views/compare.mjs');
await import('./views/phone.mjs');
await import('./views/states.mjs');
await import('./views/looks.mjs');
await import('./views/dialogs.mjs');
