// Starts the real service and a real browser, and puts a cable between the two that can be cut.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect as dial, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alive, until } from '../support/waiting.mjs';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const kPageDeadlineMs = 20_000;

/** A TCP relay to `target` ({port}) whose connections can be cut, as by pulling the cable. */
class Cable {
  sockets = new Set();
  unplugged = false;

  static async lay(target) {
    const cable = new Cable();
    cable.server = createServer((near) => {
      if (cable.unplugged) return near.destroy();
      const far = dial(target.port, '127.0.0.1');
      for (const [socket, other] of [[near, far], [far, near]]) {
        socket.on('error', () => {});
        socket.on('close', () => (cable.sockets.delete(socket), other.destroy()));
        socket.pipe(other);
        cable.sockets.add(socket);
      }
    });
    cable.server.listen(0, '127.0.0.1');
    await once(cable.server, 'listening');
    cable.url = `http://127.0.0.1:${cable.server.address().port}`;
    return cable;
  }
  cut() {
    for (const socket of this.sockets) socket.destroy();
  }
  unplug() {
    this.unplugged = true;
    this.cut();
  }
  plug() {
    this.unplugged = false;
  }
  remove() {
    this.server.close();
    this.cut();
  }
}

/** A service of its own: state directory, free ports, and the page behind a cable. */
export class Service {
  target = { port: 0 };

  /** `settings` go into its environment. */
  static async start(settings = {}) {
    const service = new Service();
    service.settings = settings;
    service.binary = process.env.TERMINAL_SERVICE_BIN;
    assert.ok(service.binary, 'TERMINAL_SERVICE_BIN must name the service program');
    service.directory = await mkdtemp(join(tmpdir(), 'terminal-e2e-'));
    service.cable = await Cable.lay(service.target);
    service.url = service.cable.url;
    await service.run();
    return service;
  }

  /** Starts the process, and after kill() starts it again on the same state. */
  async run() {
    const { cable, directory } = this;
    this.environment = {
      ...process.env,
      HOST: '127.0.0.1',
      PORT: '0',
      TERMINAL_WS_PORT: '0',
      TERMINAL_STATE_DIR: directory,
      TERMINAL_ALLOWED_ORIGINS: cable.url,
      HOME: directory, // nobody's start-up files
      SHELL: '/bin/bash',
      PS1: '$ ',
      ...this.settings,
    };
    const previous = this.killed;
    this.process = spawn(this.binary, [], { env: this.environment, cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    this.log = '';
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (text) => (this.log += text));
    const info = await until(async () => {
      assert.equal(this.process.exitCode, null, `the service ended: ${this.log}`);
      const text = JSON.parse(await readFile(join(directory, 'service.json'), 'utf8'));
      return text.pid !== previous && text;
    }, `service.json of the service (log: ${this.log})`);
    this.target.port = info.ws_port;
    this.adminUrl = `http://127.0.0.1:${info.http_port}`;
    this.holder = info.holder_pid;
    await until(async () => (await fetch(`${this.url}/`)).ok, 'the page');
  }

  async admin(path, body) {
    const response = await fetch(this.adminUrl + path, {
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });
    const answer = await response.json();
    assert.ok(response.ok, JSON.stringify(answer));
    return answer;
  }

  /** The process that serves now, which after a hand-over is none of ours. */
  async pid() {
    return JSON.parse(await readFile(join(this.directory, 'service.json'), 'utf8')).pid;
  }

  /** kill -9: the shells must not notice. */
  async kill() {
    const pid = await this.pid();
    process.kill(pid, 'SIGKILL');
    await until(() => !alive(pid), 'its end');
    this.killed = pid;
  }

  /** Everything to a new process; the one that was started here ends by itself. */
  async handOver() {
    const before = this.process;
    const gone = before.exitCode === null ? once(before, 'exit') : undefined;
    const { pid } = await this.admin('/api/admin/restart', { probation_ms: 0 });
    await gone;
    return pid;
  }

  async stop() {
    this.cable.remove();
    const running = this.process.exitCode === null && this.process.signalCode === null;
    const gone = running ? once(this.process, 'exit') : undefined;
    spawnSync(this.binary, ['stop', '--end-sessions'], { env: this.environment, cwd: this.directory, timeout: 10_000 });
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(timer);
    if (this.holder) {
      try {
        process.kill(this.holder, 'SIGTERM');
      } catch {
        // gone already
      }
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** `webgl`: with a graphics card, imitated in software. */
export function launchBrowser({ webgl = false } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      ...(webgl ? ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'] : ['--disable-gpu']),
      '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
}

/**
 * The page in a browser profile of its own, with what a user does and sees. It takes note of
 * everything that must not happen: errors, policy reports, requests to elsewhere.
 */
export class Visit {
  static async open(browser, service, path = '/', { settings, connect = true, ...options } = {}) {
    const visit = new Visit();
    visit.service = service;
    visit.context = await browser.newContext({ viewport: { width: 1000, height: 600 }, ...options });
    visit.page = await visit.context.newPage();
    visit.page.setDefaultTimeout(kPageDeadlineMs);
    visit.faults = [];
    visit.page.on('pageerror', (error) => visit.faults.push(`error: ${error.message}`));
    visit.page.on('console', (message) => {
      if (message.type() === 'error') visit.faults.push(`console: ${message.text()}`);
    });
    visit.page.on('request', (request) => {
      const url = new URL(request.url());
      if (/^(http|ws)s?:$/.test(url.protocol) && url.host !== new URL(service.url).host) visit.faults.push(`foreign request: ${url}`);
    });
    await visit.page.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    if (settings) {
      await visit.page.addInitScript((text) => localStorage.setItem('terminal.settings', text), JSON.stringify(settings));
    }
    await visit.page.goto(service.url + path);
    if (connect) await visit.connected();
    return visit;
  }

  /** Ends the visit; fails if something happened that must not. */
  async close({ connectionFaults = false } = {}) {
    const faults = connectionFaults
      ? this.faults.filter((fault) => !/WebSocket connection|ERR_|Failed to load resource/.test(fault))
      : this.faults;
    await this.context.close();
    assert.deepEqual(faults, []);
  }

  state() {
    return this.page.evaluate(() => window.terminalService?.active()?.client.state);
  }
  connected() {
    return until(async () => (await this.state())?.name === 'connected', 'a connection');
  }

  /** All lines of the terminal in front, trailing blanks cut off. */
  lines() {
    return this.page.evaluate(() => {
      const { active } = window.terminalService.active().term.buffer;
      const lines = [];
      for (let at = 0; at < active.length; at++) {
        const line = active.getLine(at);
        if (line.isWrapped && lines.length) lines[lines.length - 1] += line.translateToString(true);
        else lines.push(line.translateToString(true));
      }
      return lines;
    });
  }
  /** Waits for a line that matches; returns the match. */
  line(pattern) {
    return until(async () => {
      for (const line of await this.lines()) {
        const match = pattern.exec(line);
        if (match) return match;
      }
      return undefined;
    }, `a line like ${pattern}`).catch(async (error) => {
      await this.screenshot('failure');
      error.message += `; the terminal shows:\n${(await this.lines()).slice(-12).join('\n')}`;
      throw error;
    });
  }

  /** Types as a user does. */
  async type(text) {
    await this.page.keyboard.type(text);
  }
  async run(command) {
    await this.type(command);
    await this.page.keyboard.press('Enter');
  }
  /** The process id of the shell in front. */
  async shellPid(mark) {
    await this.run(`echo ${mark}=$$`);
    return (await this.line(new RegExp(`^${mark}=(\\d+)$`)))[1];
  }

  tabs() {
    return this.page.getByRole('tab').allTextContents();
  }
  async status() {
    return this.page.locator('footer').innerText();
  }

  async screenshot(name) {
    const directory = process.env.TERMINAL_E2E_SHOTS ?? join(tmpdir(), 'terminal-e2e-shots');
    await mkdir(directory, { recursive: true });
    await this.page.screenshot({ path: join(directory, `${name}.png`) });
  }
}

/** The first of these programs that this machine has. */
export function installed(...names) {
  return names.find((name) => (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name))));
}
