// Starts and stops what is measured: our service with its holder, and each peer. Every server gets a
// port, a directory and an environment of its own; none sees the user's settings.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alive, until } from '../tests/support/waiting.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
/** Runs in every session; no start-up file of anybody's is read by it. */
export const kShell = '/bin/sh';

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Where the servers of one run live, and what they are started with. */
export class Place {
  #count = 0;
  #closed = false;
  #children = new Set();
  running = new Set();

  constructor({ dir, binaries, paths }) {
    this.dir = dir;
    this.binaries = binaries; // directory of terminal-service, terminal-ctl, bench-load, …
    this.paths = paths; // {ttyd}: given by the user
    this.home = join(dir, 'home');
    mkdirSync(this.home, { recursive: true });
  }

  environment(more = {}) {
    const { PATH } = process.env;
    return { PATH, HOME: this.home, SHELL: kShell, LANG: 'C.UTF-8', TERM: 'xterm-256color', ...more };
  }

  makeDir(name) {
    const dir = join(this.dir, `${name}-${++this.#count}`);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return dir;
  }

  /** In a process group of its own, so that Ctrl-C on the bench does not end it before `stop`. */
  spawn(dir, file, args, environment) {
    if (this.#closed) throw new Error('the bench is ending');
    const log = openSync(join(dir, 'log'), 'a');
    const child = spawn(file, args, { cwd: this.home, env: this.environment(environment), stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    child.failure = undefined;
    child.on('error', (error) => (child.failure = error.message));
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    child.on('exit', (code, signal) => (child.failure ??= `ended with ${signal ?? code}`));
    return child;
  }

  /** Everything, also what is only starting; nothing starts any more. */
  async stopAll() {
    this.#closed = true;
    for (const server of [...this.running]) await server.stop();
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

/** What went wrong at a start is in the log; its last lines belong into the message. */
function withLog(dir, text) {
  const tail = readFileSync(join(dir, 'log'), 'utf8').trimEnd().split('\n').slice(-5).join('\n  ');
  return new Error(`${text}; ${join(dir, 'log')}:\n  ${tail}`);
}

async function untilUp(child, dir, name, check) {
  await until(async () => (child.failure === undefined ? check() : true), `the start of ${name}`);
  if (child.failure !== undefined) throw withLog(dir, `${name} ${child.failure}`);
}

class Peer {
  constructor(place, name, child, url) {
    Object.assign(this, { place, name, child, url, dialect: kPeers[name].dialect });
    place.running.add(this);
  }
  get pids() {
    return [this.child.pid];
  }
  async stop() {
    this.place.running.delete(this);
    this.child.kill('SIGTERM');
    // Some wait for their clients on SIGTERM; nothing of theirs is wanted any more.
    setTimeout(() => this.child.kill('SIGKILL'), 2000).unref();
    await until(() => !alive(this.child.pid), `the end of ${this.name}`);
  }
}

/** Each: how to start it, how the client speaks to it, and what tells its version. */
export const kPeers = {
  ttyd: {
    dialect: 'ttyd',
    command: (port, paths) => [paths.ttyd, '--writable', '--interface', '127.0.0.1', '--port', port, kShell],
    path: '/ws',
    version: (paths) => [paths.ttyd, '--version'],
  },
  node: {
    dialect: 'node',
    command: (port) => [process.execPath, join(here, 'peers/node_pty_server.mjs'), port, kShell],
    path: '/',
    npm: ['@lydell/node-pty', 'ws'],
  },
  wetty: {
    dialect: 'wetty',
    command: (port) => [process.execPath, join(here, 'peers/node_modules/wetty/build/main.js'), '--host', '127.0.0.1',
      '--port', port, '--base', '/', '--ssh-host', 'localhost', '--command', kShell],
    path: '/socket.io/?EIO=4&transport=websocket',
    npm: ['wetty'],
    unless: () => (process.getuid() !== 0 ? 'as root only it runs a shell without ssh' : Number(process.versions.node.split('.')[0]) < 20 ? 'it needs Node 20' : undefined),
    environment: { NODE_ENV: 'production' },
  },
  terminado: {
    dialect: 'terminado',
    command: (port) => ['/usr/bin/python3', join(here, 'peers/terminado_server.py'), port, kShell],
    path: '/websocket',
    deb: 'python3-terminado',
  },
  websocketd: {
    dialect: 'websocketd',
    command: (port) => ['websocketd', '--binary', '--loglevel=error', '--address=127.0.0.1', `--port=${port}`, kShell],
    path: '/',
    deb: 'websocketd',
  },
};

/** Why a peer cannot take part, or undefined. */
export function missing(name, paths) {
  const peer = kPeers[name];
  if (peer.version && !paths[name]) return `no ${name} given; --peer=${name}:PATH names one`;
  for (const module of peer.npm ?? []) {
    if (!existsSync(join(here, 'peers/node_modules', module, 'package.json'))) return `${module} is not installed; ./dev bench installs it`;
  }
  if (peer.deb && packageField(peer.deb, 'db:Status-Status') !== 'installed') return `${peer.deb} is not installed; ./dev bench installs it`;
  return peer.unless?.();
}

function packageField(name, field) {
  return spawnSync('dpkg-query', ['-W', `-f=\${${field}}`, name], { encoding: 'utf8' }).stdout?.trim();
}

export function versionOf(name, paths) {
  const peer = kPeers[name];
  const package_ = (module) => JSON.parse(readFileSync(join(here, 'peers/node_modules', module, 'package.json'), 'utf8'));
  if (peer.npm) return peer.npm.map((module) => `${module} ${package_(module).version}`).join(', ');
  if (peer.deb) return `${peer.deb} ${packageField(peer.deb, 'Version')}`;
  const [file, ...args] = peer.version(paths);
  const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  return (stdout || stderr || 'unknown').trim().split('\n')[0];
}

export async function startPeer(place, name) {
  const port = String(await freePort());
  const dir = place.makeDir(name);
  const [file, ...args] = kPeers[name].command(port, place.paths);
  const child = place.spawn(dir, file, args, kPeers[name].environment);
  await untilUp(child, dir, name, () => accepts(Number(port)));
  return new Peer(place, name, child, `ws://127.0.0.1:${port}${kPeers[name].path}`);
}

/** Our service; `settings` are configuration keys. Its holder is started by itself and ended with it. */
export class Ours {
  constructor(place, settings = {}) {
    this.place = place;
    this.name = 'ours';
    this.dir = place.makeDir('ours');
    this.state = join(this.dir, 'state');
    this.binary = join(place.binaries, 'terminal-service');
    this.settings = {
      TERMINAL_STATE_DIR: this.state,
      // Limits that refuse are for users, not for a bench that opens thousands of sessions. How many
      // of them are focused refuses nobody, and each viewer is told their ids.
      MAX_TERMINAL_SESSIONS: '20000',
      MAX_SESSIONS_PER_PROJECT: '20000',
      MAX_TERMINAL_CREATIONS_PER_MIN: '1000000',
      ...settings,
    };
  }

  static async start(place, settings) {
    // Ports of its own rather than any: a successor after a kill has them again.
    const ports = { TERMINAL_WS_PORT: String(await freePort()), PORT: String(await freePort()) };
    const server = new Ours(place, { ...ports, ...settings });
    await server.#launch();
    return server;
  }

  async #launch() {
    this.child = this.place.spawn(this.dir, this.binary, [], this.settings);
    this.place.running.add(this);
    await untilUp(this.child, this.dir, 'terminal-service', () => {
      const info = this.info();
      return info?.pid === this.child.pid && accepts(info.ws_port);
    });
  }

  info() {
    try {
      return JSON.parse(readFileSync(join(this.state, 'service.json'), 'utf8'));
    } catch {
      return undefined;
    }
  }
  get pids() {
    const { pid, holder_pid } = this.info();
    return holder_pid ? [pid, holder_pid] : [pid];
  }
  get url() {
    return `ws://127.0.0.1:${this.info().ws_port}`;
  }
  get http() {
    return `http://127.0.0.1:${this.info().http_port}`;
  }
  /** A program that starts it again with the same state, as a supervisor would after a kill. */
  restartScript() {
    const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
    const environment = Object.entries(this.place.environment(this.settings)).map(([key, value]) => `${key}=${quoted(value)}`);
    const file = join(this.dir, 'restart');
    writeFileSync(file, `#!/bin/sh\nexec env -i ${environment.join(' ')} ${quoted(this.binary)} >>${quoted(join(this.dir, 'log'))} 2>&1\n`, { mode: 0o755 });
    return file;
  }
  ctl(args, options = {}) {
    return spawn(join(this.place.binaries, 'terminal-ctl'), [`--state-dir=${this.state}`, ...args], { env: this.place.environment(), ...options });
  }

  async stop() {
    this.place.running.delete(this);
    const info = this.info();
    // The first process before its successor: just after a hand-over it would step in again.
    for (const pid of [this.child?.pid, info?.pid]) {
      if (pid && alive(pid)) process.kill(pid, 'SIGTERM');
      if (pid) await until(() => !alive(pid), `the end of terminal-service ${pid}`);
    }
    const ended = spawnSync(this.binary, ['stop', '--end-sessions'], { env: this.place.environment(this.settings), encoding: 'utf8' });
    if (ended.status !== 0) throw new Error(`terminal-service stop --end-sessions: ${ended.stderr}`);
    if (info?.holder_pid) await until(() => !alive(info.holder_pid), `the end of terminal-holder ${info.holder_pid}`);
  }
}
