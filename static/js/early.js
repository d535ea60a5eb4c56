// Runs before the rest of the page is there: asks what the page needs that a link leads to, and for its modules.
import { urlOf } from './data/api.js';
import { begin } from './first.js';
import { outagesQuery, seriesQuery, within } from './data/queries.js';
import { readView, spanOf } from './data/view.js';

// Modules that a page needs beside the first page's, each with those it imports itself. A test holds this list to the imports.
/** @type {Record<View['page'], string[]>} */
const MODULES = {
  overview: [],
  host: ['charts/chart', 'parts/checks', 'parts/controls', 'charts/distribution', 'data/week', 'charts/heatmap', 'charts/history', 'pages/host', 'parts/navigator', 'parts/outagedetails', 'parts/outagelist', 'charts/panes', 'data/series', 'charts/zoom'],
  outages: ['parts/outagedetails', 'parts/outagelist', 'pages/outages'],
  compare: ['charts/chart', 'pages/compare', 'parts/controls', 'charts/panes', 'data/series', 'charts/overlay', 'charts/zoom'],
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
