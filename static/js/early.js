// Runs before the rest of the page is there: asks what the page needs that a link leads to, and for its modules.
import { urlOf } from './api.js';
import { begin } from './first.js';
import { outagesQuery, seriesQuery, within } from './questions.js';
import { readView, spanOf } from './view.js';

// Modules that a page needs beside the first page's, each with those it imports itself. A test holds this list to the imports.
/** @type {Record<View['page'], string[]>} */
const MODULES = {
  overview: [],
  host: ['chart', 'checks', 'controls', 'distribution', 'heat', 'heatmap', 'history', 'host', 'navigator', 'outagedetails', 'outagelist', 'panes', 'series', 'zoom'],
  outages: ['outagedetails', 'outagelist', 'outages'],
  compare: ['chart', 'compare', 'controls', 'panes', 'series', 'several', 'zoom'],
};
const view = readView(location.hash);
const now = Date.now() / 1000;

/** What a link to a host has been asked for; a range from the first record on is not known yet. @type {SeriesQuery | null} */
export const FIRST_SERIES = view.page === 'host' && view.range !== 'all' ? seriesQuery(view.host, spanOf(view, now, 0), innerWidth) : null;

if (FIRST_SERIES) {
  begin(urlOf('api/series', FIRST_SERIES));
  begin(urlOf('api/outages', outagesQuery(FIRST_SERIES, now)));
  begin(urlOf('api/gaps', within(FIRST_SERIES)));
}
for (const name of MODULES[view.page]) {
  const link = document.createElement('link');
  link.rel = 'modulepreload';
  link.href = `js/${name}.js`;
  document.head.append(link);
}
