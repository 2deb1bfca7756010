// Services of a test's own, and one way to run programs against them. The programs are named by
// TERMINAL_SERVICE_BIN and TERMINAL_CTL.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alive, until } from '../support/waiting.mjs';

const { WebSocket } = createRequire(new URL('../../web/package.json', import.meta.url))('ws');

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const programs = { service: process.env.TERMINAL_SERVICE_BIN, ctl: process.env.TERMINAL_CTL };
assert.ok(programs.service && programs.ctl, 'TERMINAL_SERVICE_BIN and TERMINAL_CTL must name the programs');

/** A program that runs: what it printed, and how it ended. */
class Run {
  stdout = '';
  stderr = '';
  status = undefined; // exit status, or the name of a signal

  constructor(file, args, options) {
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.child.stdout.on('data', (text) => (this.stdout += text));
    this.child.stderr.on('data', (text) => (this.stderr += text));
    this.child.on('error', (error) => (this.status = error.message));
    // Not `close`: what a program leaves behind may keep its output open.
    this.child.on('exit', (code, signal) => (this.status = signal ?? code));
  }
  async ended() {
    await until(() => this.status !== undefined, `the end of ${this.child.spawnargs.join(' ')}\n${this.stderr}`);
    return this;
  }
  get output() {
    return this.stdout + this.stderr;
  }
}

/** A state directory with a home of its own, for whatever is started with it. */
export class Place {
  static async make(settings = {}) {
    const place = new Place();
    place.directory = await mkdtemp(join(tmpdir(), 'terminal-ctl-'));
    place.environment = {
      PATH: process.env.PATH,
      HOME: place.directory,
      SHELL: '/bin/bash',
      HOST: '127.0.0.1',
      PORT: '0',
      TERMINAL_WS_PORT: '0',
      TERMINAL_STATE_DIR: join(place.directory, 'state'),
      DEV_CTL: programs.ctl,
      DEV_SERVICE: programs.service,
      ...settings,
    };
    return place;
  }

  start(file, args = [], environment = {}, cwd = this.directory) {
    return new Run(file, args, { cwd, env: { ...this.environment, ...environment } });
  }
  /** Starts the service and waits until it serves. */
  async serve() {
    this.service = this.start(programs.service);
    await this.serving();
    return this;
  }
  /** service.json of a process that answers, other than `previous`. */
  serving(previous) {
    return until(async () => {
      assert.equal(this.service?.status, undefined, `the service ended: ${this.service?.output}${this.logged()}`);
      const info = this.info();
      if (info.pid === previous || !alive(info.pid)) return false;
      return (await fetch(`http://127.0.0.1:${info.http_port}/api/health/live`)).ok && info;
    }, 'a service that answers');
  }
  info() {
    return JSON.parse(readFileSync(join(this.environment.TERMINAL_STATE_DIR, 'service.json'), 'utf8'));
  }
  /** The end of what its services wrote into files, if they do. */
  logged() {
    if (!this.environment.TERMINAL_LOG_DIR) return '';
    const dir = join(this.directory, this.environment.TERMINAL_LOG_DIR);
    const files = readdirSync(dir).filter((name) => name.endsWith('.log'));
    return files.map((name) => `${name}: ${readFileSync(join(dir, name), 'utf8').slice(-2000)}`).join('\n');
  }
  ctl(args, environment) {
    return this.start(programs.ctl, args, environment).ended();
  }
  /** ./dev with the programs under test and without a build. */
  dev(args, environment) {
    return this.start(join(root, 'tests/ctl/dev_without_build.sh'), args, environment);
  }

  async remove() {
    // Also the process that stands by for a moment after a hand-over.
    spawnSync(join(root, 'tests/ctl/dev_without_build.sh'), ['stop', '--end-sessions'], {
      cwd: this.directory, env: this.environment, timeout: 20_000,
    });
    this.service?.child.kill('SIGKILL');
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A raw terminal. `closed` is set when the connection ends. */
export class Terminal {
  seen = '';
  closed = undefined;

  static async open(place, session = 'one') {
    const { ws_port: port } = place.info();
    const terminal = new Terminal();
    terminal.socket = new WebSocket(`ws://127.0.0.1:${port}/terminal/${session}?cols=80&rows=24`, {
      origin: `http://127.0.0.1:${port}`,
    });
    terminal.socket.binaryType = 'nodebuffer';
    terminal.socket.on('message', (bytes) => (terminal.seen += bytes.toString('latin1')));
    terminal.socket.on('error', (error) => (terminal.closed ??= error.message));
    terminal.socket.on('close', (code) => (terminal.closed ??= code));
    await until(() => terminal.socket.readyState === WebSocket.OPEN, 'a terminal');
    return terminal;
  }
  /** The process id of the shell, asked through this connection. */
  async shell(mark) {
    this.socket.send(`echo ${mark}=$$\r`);
    const answer = new RegExp(`[\r\n]${mark}=(\\d+)[\r\n]`);
    return (await until(() => answer.exec(this.seen), `the answer ${mark}`))[1];
  }
  close() {
    this.socket.terminate();
  }
}
