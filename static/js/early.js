// Runs before the rest of the page is there: asks the first questions, and for the modules of the page that a link leads to.
// Whoever needs an answer later takes it from api.js.
import { begin } from './api.js';
import { LAST_OUTAGES, outagesQuery, overviewQuery, seriesQuery } from './questions.js';
import { readView, spanOf } from './view.js';

// Modules that a page needs beside the first page's, each with those it imports itself. A test holds this list to the imports.
/** @type {Record<View['page'], string[]>} */
const MODULES = {
  overview: [],
  host: ['chart', 'checks', 'controls', 'distribution', 'heat', 'heatmap', 'history', 'host', 'navigator', 'outagelist', 'panes', 'series', 'zoom'],
  outages: ['outagelist', 'outages'],
  compare: ['chart', 'compare', 'controls', 'panes', 'series', 'several', 'zoom'],
};
const view = readView(location.hash);
const now = Date.now() / 1000;

/** What a link to a host has been asked for; a range from the first record on is not known yet. @type {SeriesQuery | null} */
export const FIRST_SERIES = view.page === 'host' && view.range !== 'all' ? seriesQuery(view.host, spanOf(view, now, 0), innerWidth) : null;

if (FIRST_SERIES) {
  begin('api/series', FIRST_SERIES);
  begin('api/outages', outagesQuery(FIRST_SERIES, now));
}
begin('api/status');
begin('api/ping-results/latest');
begin('api/overview', overviewQuery(now));
begin('api/outages/active');
begin('api/outages', LAST_OUTAGES);
for (const name of MODULES[view.page]) {
  const link = document.createElement('link');
  link.rel = 'modulepreload';
  link.href = `js/${name}.js`;
  document.head.append(link);
}
