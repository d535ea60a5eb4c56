// Runs before the rest of the page is there: asks what the page needs that a link leads to, and for its modules.
import { urlOf } from './data/api.js';
import { begin } from './first.js';
import { outagesQuery, seriesQuery, within } from './data/queries.js';
import { readView, spanOf } from './data/view.js';

const view = readView(location.hash);
const now = Date.now() / 1000;

/** What a link to a host has been asked for; a range from the first record on is not known yet. @type {SeriesQuery | null} */
export const FIRST_SERIES = view.page === 'host' && view.range !== 'all' ? seriesQuery(view.host, spanOf(view, now, 0), innerWidth) : null;

if (FIRST_SERIES) {
  begin(urlOf('api/series', FIRST_SERIES));
  begin(urlOf('api/outages', outagesQuery(FIRST_SERIES, now)));
  begin(urlOf('api/gaps', within(FIRST_SERIES)));
}
// The build lists which modules a page needs in addition to the first page's.
const { dataset } = /** @type {HTMLElement} */ (document.getElementById('early'));
for (const name of dataset[view.page]?.split(' ') ?? []) {
  const link = document.createElement('link');
  link.rel = 'modulepreload';
  link.href = `js/${name}.js`;
  document.head.append(link);
}
