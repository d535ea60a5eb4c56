// Runs before main.js: sends the requests of the page that the URL names, and preloads its modules.
import { urlOf } from './data/api.js';
import { outagesQuery, seriesQuery, wholeSeconds } from './data/queries.js';
import { readView, spanOf } from './data/view.js';
import { prefetch } from './first.js';

const view = readView(location.hash);
const now = Date.now() / 1000;
// The range from the first record on is not known yet.
const isRangeKnown = view.page === 'host' && view.range !== 'all';

/** The query that was sent for the charts of a host. @type {SeriesQuery | null} */
export const PREFETCHED_SERIES = isRangeKnown ? seriesQuery(view.host, spanOf(view, now, 0), innerWidth) : null;

if (PREFETCHED_SERIES) {
  prefetch(urlOf('api/series', PREFETCHED_SERIES));
  prefetch(urlOf('api/outages', outagesQuery(PREFETCHED_SERIES, now)));
  prefetch(urlOf('api/gaps', wholeSeconds(PREFETCHED_SERIES)));
}

// build.rs lists the modules that a page needs in addition to those of the overview.
const { dataset } = /** @type {HTMLElement} */ (document.getElementById('early'));
for (const name of dataset[view.page]?.split(' ') ?? []) {
  const link = document.createElement('link');
  link.rel = 'modulepreload';
  link.href = `js/${name}.js`;
  document.head.append(link);
}
