// The page as a whole: the data, the page that is open, and what keeps both up to date.
import { onSchemeChange } from './charts/colours.js';
import { iconOf, shape } from './charts/shapes.js';
import { get } from './data/api.js';
import { troubleOf } from './data/cause.js';
import { entries } from './data/hosts.js';
import { connectionText, live, now, presentOf } from './data/live.js';
import { overviewQuery } from './data/queries.js';
import { clock, day, year, zoneText } from './data/time.js';
import { readView, writeView } from './data/view.js';
import { announce, h, put, setText, whenReached } from './dom.js';
import { banners } from './parts/banner.js';

const OVERVIEW_EVERY_SECONDS = 300;
// While a host has no history yet, its first bar should appear soon.
const OVERVIEW_SOON_SECONDS = 15;

/** @param {string} id @returns {HTMLElement} */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {App} */
const app = {
  view: readView(location.hash), status: null, overview: null, entries: [], active: [], newest: -Infinity, now,
  present: 'loading', connection: { kind: 'live', wait: 0, at: now(), reason: '' },
  go(change, replace = false) {
    const view = { ...app.view, ...change };
    if (view.range !== 'custom') Object.assign(view, { from: 0, to: 0 });
    const hash = writeView(view);
    if (replace) history.replaceState(null, '', hash);
    else history.pushState(null, '', hash);
    route();
  },
};
// Size: a page is loaded when it is first opened.
/** @type {Record<View['page'], () => Promise<(app: App) => Page>>} */
const PAGES = {
  overview: () => import('./pages/overview.js').then((m) => m.overviewPage),
  host: () => import('./pages/host.js').then((m) => m.hostPage),
  outages: () => import('./pages/outages.js').then((m) => m.outagesPage),
  compare: () => import('./pages/compare.js').then((m) => m.comparePage),
};
const warnings = banners();
// Loaded when notices or checks wait to be sent, or the database was damaged.
/** @type {ReturnType<typeof import('./parts/notices.js').notices> | null} */
let waiting = null;
/** @type {Page | null} */
let page = null;
let wantedPage = '';
/** @type {CheckResult[]} */
let latest = [];
let overviewAt = -Infinity;
let states = '';

/** Opens the page that the URL names, or shows its new view. */
function route() {
  app.view = readView(location.hash);
  document.body.classList.toggle('wall', app.view.wall);
  const key = `${app.view.page} ${app.view.page === 'host' ? app.view.host : ''}`;
  for (const a of byId('pages').querySelectorAll('a')) {
    if (a.dataset.page === app.view.page) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  if (key !== wantedPage) {
    wantedPage = key;
    PAGES[app.view.page]().then((create) => key === wantedPage && open(create(app)), () => {
      // The server cannot be reached; the next tick tries again.
      if (key === wantedPage) wantedPage = '';
    });
  } else page?.show();
  setTitle();
}

/** @param {Page} next */
function open(next) {
  const isFirst = !page;
  page?.close();
  page = next;
  put(byId('content'), page.element);
  page.show();
  setTitle();
  if (isFirst) return;
  scrollTo(0, 0);
  // A screen reader starts reading where the new page begins.
  page.heading.focus({ preventScroll: true });
}

/** The title and the icon of the tab begin with what is wrong. */
function setTitle() {
  const { kind, text } = troubleOf(app);
  const title = [text, page?.title(), 'ace-connection-logger'].filter(Boolean).join(' · ');
  if (document.title !== title) document.title = title;
  const icon = /** @type {HTMLLinkElement} */ (document.querySelector('link[rel=icon]'));
  if (icon.getAttribute('href') !== iconOf(kind)) icon.href = iconOf(kind);
}

async function updateNotices() {
  if (!waiting && (app.status?.notices || app.status?.push || app.status?.damage.length)) {
    const parts = await import('./parts/notices.js');
    waiting ??= parts.notices();
    byId('banners').append(waiting.element);
  }
  waiting?.update(app);
}

/** Combines status, latest results and overview into the list of hosts. */
function updateEntries() {
  app.present = presentOf(app.connection, app.status);
  if (app.status) {
    app.entries = entries(app.status, latest, app.overview, app.present === 'now');
    app.newest = Math.max(-Infinity, ...app.entries.map((e) => e.at).filter((t) => !Number.isNaN(t)));
    updateNotices();
  }
  warnings.update(app);
  setTitle();
}

async function loadOverview() {
  overviewAt = now();
  try {
    const query = overviewQuery(now());
    const [overview, active] = await Promise.all([get('api/overview', query), get('api/outages/active')]);
    Object.assign(app, { overview, active });
  } catch {
    // The state of the connection shows it; tried again soon.
    overviewAt = now() - OVERVIEW_EVERY_SECONDS + OVERVIEW_SOON_SECONDS;
    return;
  }
  updateEntries();
  page?.show();
}

/** While something is down, each result may begin or end an outage. */
async function loadActive() {
  if (!document.hidden && !app.active.length && !app.entries.some((e) => e.state === 'down' || e.error)) return;
  const active = await get('api/outages/active').catch(() => null);
  if (!active) return;
  app.active = active;
  warnings.update(app);
  setTitle();
  page?.show();
}

function drawConnection() {
  const mark = byId('connection');
  const [state, text] = connectionText(app, now());
  if (mark.dataset.state !== state) put(byId('connection-shape'), shape(state, 11));
  mark.dataset.state = state;
  setText(byId('connection-text'), text);
  document.body.classList.toggle('unreached', ['lost', 'login', 'failed', 'unwritten'].includes(app.connection.kind));
}

function tick() {
  drawConnection();
  if (document.hidden) return;
  if (!wantedPage) route();
  if (['live', 'unwritten'].includes(app.connection.kind) && app.status) {
    const isIncomplete = !app.overview || app.entries.some((e) => e.days === null || e.availability === null);
    const interval = isIncomplete ? OVERVIEW_SOON_SECONDS : OVERVIEW_EVERY_SECONDS;
    const newStates = app.entries.map((e) => e.state).join();
    if ((states && newStates !== states) || now() - overviewAt >= interval) loadOverview();
    states = newStates;
    page?.tick();
  }
  warnings.update(app);
}

const polling = live({
  status(status) {
    const isFirst = !app.status;
    app.status = status;
    updateEntries();
    const version = status.version ? `Version ${status.version}` : '';
    put(byId('about'), `${version}, ${status.database_path}. `, h('span', null, zoneText(now())));
    setText(byId('zone'), zoneText(now()));
    if (isFirst) page?.show();
    if (document.hidden) loadActive();
  },
  results(results) {
    latest = results;
    updateEntries();
    page?.results(results);
    drawConnection();
    loadActive();
  },
  connection(next) {
    const isNew = next.kind !== app.connection.kind;
    app.connection = next;
    if (isNew) {
      if (next.kind === 'live') overviewAt = -Infinity;
      updateEntries();
      if (next.kind !== 'loading') announce(next.kind === 'live' ? 'Live again' : troubleOf(app).text);
      page?.show();
    }
    drawConnection();
  },
});

const pause = byId('pause');
pause.addEventListener('click', () => {
  const isPaused = pause.getAttribute('aria-pressed') !== 'true';
  pause.setAttribute('aria-pressed', String(isPaused));
  polling.pause(isPaused);
});
// Size: the dialogs and the view for a wall are loaded when they are first wanted.
const loadView = () => import('./parts/viewdialog.js');
byId('view').addEventListener('click', () => loadView().then((m) => m.openViewDialog(app), () => {}));
document.addEventListener('keydown', (e) => {
  const isTyping = e.target instanceof HTMLInputElement || e.target instanceof HTMLSelectElement;
  if (isTyping || e.ctrlKey || e.altKey || e.metaKey || document.querySelector('dialog[open]')) return;
  if (e.key === '/') {
    e.preventDefault();
    page?.search();
  }
  if (e.key === '?') byId('view').click();
  if (e.key === 'f') loadView().then((m) => m.toggleWall(app), () => {});
  if (e.key === 'Escape' && app.view.wall) app.go({ wall: false }, true);
  // The charts' keys work wherever no control needs them.
  const chart = document.querySelector('.chart');
  const isFree = e.target === document.body || e.target === page?.heading;
  if (chart && isFree && /^(ArrowLeft|ArrowRight|[+=-]|Escape)$/.test(e.key)) {
    chart.dispatchEvent(new KeyboardEvent('keydown', { key: e.key, shiftKey: e.shiftKey }));
  }
});
byId('skip').addEventListener('click', (e) => {
  // The fragment of the URL is the view; it must not become "content".
  e.preventDefault();
  page?.heading.focus();
});
window.addEventListener('hashchange', route);
window.addEventListener('popstate', route);
document.addEventListener('fullscreenchange', () => {
  // The browser has its own key for that.
  if (!document.fullscreenElement && app.view.wall) app.go({ wall: false }, true);
});
onSchemeChange(() => {
  const t = app.connection.kind === 'live' ? now() : app.connection.at;
  setText(byId('printed'), `As of ${day(t, t)} ${year(t)}, ${clock(t)}. ${page?.printed?.() ?? ''}`.trim());
  page?.redraw();
});
put(byId('banners'), warnings.element);
setInterval(tick, 1000);
// Size: what explains the figures is loaded once someone points at anything.
whenReached(document.body, () => import('./parts/hints.js').then(() => {}));
route();
loadOverview();
