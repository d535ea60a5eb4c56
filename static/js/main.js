// The page as a whole: what is known, which page is shown, what keeps it fresh.
import { get } from './data/api.js';
import { banner } from './parts/banner.js';
import { announce, h, put, say } from './dom.js';
import { entries } from './data/hosts.js';
import { onScheme } from './charts/colours.js';
import { live, now } from './data/live.js';
import { overviewQuery } from './data/queries.js';
import { shape } from './charts/shapes.js';
import { clock, duration, zoneText } from './data/time.js';
import { readView, writeView } from './data/view.js';

const OVERVIEW_EVERY_SECONDS = 300;
// While a host has no history yet, the first day's bar is worth asking for.
const OVERVIEW_SOON_SECONDS = 15;

/** @param {string} id @returns {HTMLElement} */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {App} */
const app = {
  view: readView(location.hash), status: null, overview: null, entries: [], active: [], newest: -Infinity, now,
  go(change, replace = false) {
    const wanted = { ...app.view, ...change };
    if (wanted.range !== 'custom') Object.assign(wanted, { from: 0, to: 0 });
    const hash = writeView(wanted);
    if (replace) history.replaceState(null, '', hash);
    else history.pushState(null, '', hash);
    route();
  },
};
// Each page is fetched when it is first asked for: the first load stays small.
/** @type {Record<View['page'], () => Promise<(app: App) => Page>>} */
const PAGES = {
  overview: () => import('./pages/overview.js').then((m) => m.overviewPage),
  host: () => import('./pages/host.js').then((m) => m.hostPage),
  outages: () => import('./pages/outages.js').then((m) => m.outagesPage),
  compare: () => import('./pages/compare.js').then((m) => m.comparePage),
};
const warning = banner();
/** @type {Page | null} */
let page = null;
let wantedPage = '';
/** @type {Row[]} */
let rows = [];
let overviewAt = -Infinity;
let states = '';
/** @type {Link} */
let link = { kind: 'live', wait: 0, at: now() };

function route() {
  app.view = readView(location.hash);
  const key = `${app.view.page} ${app.view.page === 'host' ? app.view.host : ''}`;
  for (const a of part('pages').querySelectorAll('a')) {
    if (a.dataset.page === app.view.page) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  if (key !== wantedPage) {
    wantedPage = key;
    PAGES[app.view.page]().then((create) => key === wantedPage && open(create(app)), () => {
      // The server is lost, which the live mark says: asked for again at the next tick.
      if (key === wantedPage) wantedPage = '';
    });
  } else page?.show();
  name();
}

/** @param {Page} next */
function open(next) {
  const first = !page;
  page?.close();
  page = next;
  put(part('content'), page.element);
  page.show();
  name();
  if (first) return;
  scrollTo(0, 0);
  // A screen reader begins where the new page begins.
  page.heading.focus({ preventScroll: true });
}

/** The title of the tab, which may know a name by now. */
function name() {
  if (page) document.title = `${page.title()} · ace-connection-logger`;
}

/** Everything that follows from what is known. */
function gather() {
  if (!app.status) return;
  app.entries = entries(app.status, rows, app.overview, app.status.monitor?.running ?? false);
  app.newest = Math.max(-Infinity, ...app.entries.map((e) => e.at).filter((t) => !Number.isNaN(t)));
  warning.update(app);
  name();
}

async function loadOverview() {
  overviewAt = now();
  try {
    const [overview, active] = await Promise.all([/** @type {Promise<Overview>} */ (get('api/overview', overviewQuery(now()))), get('api/outages/active')]);
    Object.assign(app, { overview, active });
  } catch {
    // Said by the live mark; asked again when the server is back.
    overviewAt = now() - OVERVIEW_EVERY_SECONDS + OVERVIEW_SOON_SECONDS;
    return;
  }
  gather();
  page?.show();
}

/** While something is down, each result may begin or end an outage. */
async function loadActive() {
  if (!app.active.length && !app.entries.some((e) => e.state === 'down' || e.error)) return;
  const active = await get('api/outages/active').catch(() => null);
  if (!active) return;
  app.active = active;
  warning.update(app);
  page?.show();
}

function drawLink() {
  const mark = part('link');
  const running = app.status?.monitor?.running ?? true;
  const [state, text] = link.kind === 'lost' ? /** @type {const} */ (['not_measured', `Server not reached, trying again in ${Math.max(1, link.wait)} s`])
    : link.kind === 'paused' ? /** @type {const} */ (['not_measured', `Paused at ${clock(link.at)}`])
    : !app.status ? /** @type {const} */ (['not_measured', 'Loading'])
    : !running ? /** @type {const} */ (['down', Number.isFinite(app.newest) ? `Stopped, ${duration(now() - app.newest)} old` : 'No monitor runs'])
    : !Number.isFinite(app.newest) ? /** @type {const} */ (['not_measured', 'Measuring for the first time'])
    : /** @type {const} */ (['up', `Live, last check ${duration(now() - app.newest)} ago`]);
  if (mark.dataset.state !== state) put(part('link-shape'), shape(state, 11));
  mark.dataset.state = state;
  say(part('link-text'), text);
  document.body.classList.toggle('unreached', link.kind === 'lost');
}

function tick() {
  drawLink();
  if (document.hidden) return;
  if (!wantedPage) route();
  if (link.kind === 'live' && app.status) {
    const young = app.entries.some((e) => e.days === null || e.availability === null) || !app.overview;
    const changed = app.entries.map((e) => e.state).join();
    if ((states && changed !== states) || now() - overviewAt >= (young ? OVERVIEW_SOON_SECONDS : OVERVIEW_EVERY_SECONDS)) loadOverview();
    states = changed;
    page?.tick();
  }
  warning.update(app);
}

const connection = live({
  status(status) {
    const first = !app.status;
    app.status = status;
    gather();
    put(part('about'), `${status.version ? `Version ${status.version}` : ''}, ${status.database_path}. `, h('span', null, zoneText(now())));
    say(part('zone'), zoneText(now()));
    if (first) page?.show();
  },
  results(next) {
    rows = next;
    gather();
    page?.results(next);
    drawLink();
    loadActive();
  },
  link(next) {
    if (next.kind !== link.kind) {
      announce({ live: 'Live again', lost: 'Server not reached', paused: 'Paused' }[next.kind]);
      if (next.kind === 'live') overviewAt = -Infinity;
    }
    link = next;
    drawLink();
  },
});

const pause = part('pause');
pause.addEventListener('click', () => {
  const paused = pause.getAttribute('aria-pressed') !== 'true';
  pause.setAttribute('aria-pressed', String(paused));
  connection.pause(paused);
});
document.addEventListener('keydown', (e) => {
  const typing = e.target instanceof HTMLInputElement || e.target instanceof HTMLSelectElement;
  if (typing || e.ctrlKey || e.altKey || e.metaKey) return;
  if (e.key === '/') {
    e.preventDefault();
    page?.search();
  }
  // Arrow keys move the charts from anywhere but a control that needs them itself.
  const chart = document.querySelector('.chart');
  if (e.target === document.body || e.target === page?.heading) {
    if (chart && /^(ArrowLeft|ArrowRight|[+=-]|Escape)$/.test(e.key)) chart.dispatchEvent(new KeyboardEvent('keydown', { key: e.key, shiftKey: e.shiftKey }));
  }
});
part('skip').addEventListener('click', (e) => {
  // The part behind the # is the view; it must not become "content".
  e.preventDefault();
  page?.heading.focus();
});
window.addEventListener('hashchange', route);
window.addEventListener('popstate', route);
onScheme(() => page?.redraw());
put(part('banners'), warning.element);
setInterval(tick, 1000);
route();
loadOverview();
