// Starts the real program in a temporary folder with configuration, database and log. It pings loopback addresses only.
import { execFile, spawn } from 'node:child_process';
import { copyFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The folder in which cargo has put the binary and examples/history. */
const BUILT = process.env.BUILT ?? fileURLToPath(new URL('../../target/debug', import.meta.url));
const TIMEOUT_MS = 20000;

/** Calls a function until its result is truthy. @template T @param {() => Promise<T>} call
 * @param {string} what for the error @returns {Promise<T>} */
export async function soon(call, what) {
  const giveUp = Date.now() + TIMEOUT_MS;
  for (;;) {
    const result = await call();
    if (result) return result;
    if (Date.now() > giveUp) throw new Error(`${what}: not within ${TIMEOUT_MS / 1000} s`);
    await new Promise((done) => {
      setTimeout(done, 50);
    });
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done(undefined));
  });
  const { port } = server.address();
  await new Promise((done) => {
    server.close(done);
  });
  return port;
}

/** @type {Map<string, Promise<string>>} */
const made = new Map();
/** A database with a generated history; each is generated once, since that takes seconds.
 * @param {number[]} wanted number of hosts, days, and how many minutes ago it ends */
function history(wanted) {
  const key = wanted.join();
  const write = async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'page-history-')), 'history.db');
    await run(join(BUILT, 'examples/history'), [file, ...wanted.map(String)], { maxBuffer: 1e7 });
    return file;
  };
  if (!made.has(key)) made.set(key, write());
  return /** @type {Promise<string>} */ (made.get(key));
}

/**
 * @typedef {{
 *   name: string, address: string, interval_seconds?: number, ping_count?: number, ping_spacing_ms?: number,
 *   timeout_seconds?: number, role?: string, family?: number,
 * }} HostConfig
 */

/** @param {HostConfig[]} hosts @param {number} port @param {string} database */
function configuration(hosts, port, database) {
  const entry = (host) =>
    Object.entries(host)
      .map(([key, value], i) => `${i ? '   ' : '  -'} ${key}: ${JSON.stringify(value)}\n`)
      .join('');
  return `hosts:\n${hosts.map(entry).join('')}database:\n  path: ${database}\ndashboard:\n  port: ${port}\n`;
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/**
 * @param {HostConfig[]} hosts
 * @param {{recorded?: number[]}} [options] recorded: a history as in `history`, of hosts from 127.0.1.1 on
 */
export async function createProgram(hosts, options = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'page-program-'));
  const database = join(folder, 'connections.db');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  await writeFile(join(folder, 'config.yaml'), configuration(hosts, port, database));
  if (options.recorded) await copyFile(await history(options.recorded), database);
  /** @type {import('node:child_process').ChildProcess | null} */
  let child = null;

  /** @param {string} path relative */
  const get = async (path) => (await fetch(url + path)).json();
  const answers = () =>
    fetch(`${url}api/status`).then(
      (response) => response.ok,
      () => false,
    );

  return {
    hosts,
    url,
    get,
    /** @param {'monitor' | 'dashboard'} [command] */
    async start(command = 'monitor') {
      const log = await open(join(folder, 'log'), 'a');
      const started = spawn(
        join(BUILT, 'ace-connection-logger'),
        [command, '-c', join(folder, 'config.yaml'), '--strict'],
        { stdio: ['ignore', log.fd, log.fd] },
      );
      await log.close();
      child = started;
      running.add(started);
      started.on('exit', () => running.delete(started));
      await soon(async () => {
        if (started.exitCode !== null)
          throw new Error(`${command} ended: ${await readFile(join(folder, 'log'), 'utf8')}`);
        return answers();
      }, `${command} serves ${url}`);
    },
    /** @param {NodeJS.Signals} [signal] */
    async stop(signal = 'SIGTERM') {
      const ending = child;
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
      const ended = new Promise((done) => {
        ending.once('exit', done);
      });
      ending.kill(signal);
      await ended;
    },
    /** @param {string} statement as the sqlite3 shell takes it */
    sql: async (statement) => (await run('sqlite3', ['-cmd', '.timeout 5000', database, statement])).stdout.trim(),
    /** Keeps every other program from writing to the database. Returns what ends that. */
    async lock() {
      const holder = spawn('sqlite3', ['-batch', database], { stdio: ['pipe', 'pipe', 'inherit'] });
      holder.stdin.write(".timeout 5000\nbegin immediate;\nselect 'locked';\n");
      await new Promise((done) => {
        holder.stdout.once('data', done);
      });
      return () =>
        new Promise((done) => {
          holder.once('exit', done);
          holder.stdin.end('rollback;\n');
        });
    },
    /** The newest check of a host in the API. @param {string} address */
    newest: async (address) => (await get('api/ping-results/latest')).find((row) => row.host_address === address),
    async remove() {
      await this.stop();
      await rm(folder, { recursive: true });
    },
  };
}
/** @typedef {Awaited<ReturnType<typeof createProgram>>} Program */

/** A proxy before a program. While `answer` is set it answers requests of the API itself.
 * @param {{url: string}} program */
export async function createProxy({ url }) {
  const proxy = {
    url: '',
    /** @type {{status: number, headers: Record<string, string>, body: string} | null} */
    answer: null,
    close: () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  };
  const server = createHttpServer((from, to) => {
    if (proxy.answer && from.url?.startsWith('/api/')) {
      to.writeHead(proxy.answer.status, proxy.answer.headers).end(proxy.answer.body);
      return;
    }
    const { hostname, port } = new URL(url);
    const options = { hostname, port, path: from.url, method: from.method, headers: from.headers };
    const next = request(options, (answer) => {
      to.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(to);
    });
    next.on('error', () => to.destroy());
    from.pipe(next);
  });
  await new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done(undefined));
  });
  proxy.url = `http://127.0.0.1:${server.address().port}/`;
  return proxy;
}

/** Stops every program and removes every folder. @param {Program[]} programs */
export async function clear(programs) {
  await Promise.all(programs.map((program) => program.remove()));
  await Promise.all([...made.values()].map(async (file) => rm(join(await file, '..'), { recursive: true })));
  made.clear();
}

/** Sets whether this network answers pings. Only for the tests' network namespace.
 * @param {4 | 6} family @param {'answers' | 'silent'} state */
export async function network(family, state) {
  const file = family === 4 ? '/proc/sys/net/ipv4/icmp_echo_ignore_all' : '/proc/sys/net/ipv6/icmp/echo_ignore_all';
  await writeFile(file, state === 'silent' ? '1' : '0');
}
