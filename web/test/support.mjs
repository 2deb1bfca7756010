// What the client's tests need: the client, bundled for Node, and a server that does what it is told.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { webcrypto } from 'node:crypto';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { WebSocket, WebSocketServer } from 'ws';

globalThis.crypto ??= webcrypto; // Node 18 has it under another name

const directory = await mkdtemp(join(tmpdir(), 'terminal-client-'));
process.on('exit', () => rm(directory, { recursive: true, force: true }).catch(() => {}));

/** Bundles one file of src and imports it. */
export async function load(source) {
  const outfile = join(directory, `${source.replace(/\W/g, '_')}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`../src/${source}`, import.meta.url))],
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    logLevel: 'error',
    outfile,
  });
  return import(pathToFileURL(outfile).href);
}

export const { TerminalClient, Backoff, InputLog, OutputCursor, isTerminalAnswer, readClose } =
  await load('client/index.ts');

const kDeadlineMs = 5000;

/** Waits until `check` returns something true, and returns it. */
export async function until(check, what = String(check)) {
  const deadline = Date.now() + kDeadlineMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    assert.ok(Date.now() < deadline, `waited too long for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** One accepted WebSocket: what the client sent, and a way to answer. */
class Connection {
  messages = [];
  input = Buffer.alloc(0);
  closed = false;

  constructor(socket, request) {
    this.socket = socket;
    this.url = request.url;
    this.protocol = socket.protocol;
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => {});
    socket.on('message', (data, binary) => {
      if (binary) this.input = Buffer.concat([this.input, data]);
      else this.messages.push(JSON.parse(data.toString()));
    });
  }

  of(type) {
    return this.messages.filter((message) => message.type === type);
  }
  /** The n-th message of a type, as soon as it is there. */
  async message(type, n = 0) {
    return until(() => this.of(type)[n], `${type} number ${n}`);
  }
  say(message) {
    this.socket.send(JSON.stringify(message));
  }
  bytes(data) {
    this.socket.send(Buffer.from(data), { binary: true });
  }
  close(code, reason = '') {
    this.socket.close(code, reason);
  }
  /** The cable is pulled. */
  cut() {
    this.socket.terminate();
  }

  /** Waits for `attach` and answers it. */
  async attached(fields = {}) {
    const attach = await this.message('attach');
    const output = attach.output ?? 0;
    this.say({
      type: 'attached',
      session: { id: 's1', cols: attach.cols, rows: attach.rows },
      tier: 'warm',
      output,
      replayUntil: output,
      input: attach.input,
      engine: { sessions: 'refactored', streams: 'refactored', telemetry: 'refactored' },
      window: 262144,
      ...fields,
    });
    return attach;
  }
}

/** A WebSocket server on a free port whose connections wait to be played by the test. */
export async function scriptedServer() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: (offered) => [...offered][0] });
  const connections = [];
  server.on('connection', (socket, request) => connections.push(new Connection(socket, request)));
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    connections,
    connection: (n) => until(() => connections[n], `connection ${n}`),
    close: () => {
      for (const { socket } of connections) socket.terminate();
      server.close();
    },
  };
}

/**
 * A client with everything that it told: painted bytes, states, other events. The terminal parses at
 * once unless `hold` is set; then the test calls the functions in `unparsed`.
 */
export function watchedClient(url, options = {}) {
  const client = new TerminalClient({
    url,
    session: 's1',
    project: 'default',
    cols: 80,
    rows: 24,
    openSocket: (address, protocol) => new WebSocket(address, protocol),
    random: () => 0.5,
    ...options,
    timing: { ackIdle: 5, ...options.timing },
  });
  const seen = { painted: '', pieces: [], states: [], unparsed: [], gaps: [], full: [], resets: 0, notices: [], hold: false };
  client.on('state', (state) => seen.states.push(state));
  client.on('gap', (gap) => seen.gaps.push(gap));
  client.on('full', (full) => seen.full.push(full));
  client.on('reset', () => ((seen.painted = ''), seen.resets++));
  client.on('notice', (notice) => seen.notices.push(notice));
  client.on('output', ({ bytes, done }) => {
    seen.painted += Buffer.from(bytes).toString();
    seen.pieces.push(bytes.length);
    if (seen.hold) seen.unparsed.push(done);
    else done();
  });
  return { client, seen, state: (name) => until(() => client.state.name === name, `state ${name}`) };
}
