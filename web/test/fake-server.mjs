// A stand-in for the service, for work on the page: serves a bundled page, the user API and the
// native dialect, with a shell that only pretends (or a program on pipes, --shell).
//
//   node build.mjs dist && node test/fake-server.mjs dist [PORT] [--shell PROGRAM]
//
// The pretended shell understands: echo, flood N, title TEXT, notice KIND, engine NAME, drop CODE,
// exit N.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const kTypes = { '/': 'text/html', '/app.js': 'text/javascript', '/app.css': 'text/css', '/favicon.svg': 'image/svg+xml' };
const kPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'";

class Session {
  viewers = new Set();
  output = Buffer.alloc(0);
  input = new Map(); // per client
  status = 'active';
  engine = { sessions: 'refactored', streams: 'refactored', telemetry: 'refactored' };
  line = '';

  constructor(server, id, projectId) {
    this.server = server;
    this.id = id;
    this.projectId = projectId;
    this.tabName = `Terminal ${server.sessions.size + 1}`;
    this.createdAt = new Date().toISOString();
    if (server.shell) {
      this.child = spawn(server.shell, { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] });
      this.child.stdout.on('data', (data) => this.print(data));
      this.child.on('exit', (code) => this.end({ code }));
    } else {
      this.print('$ ');
    }
  }

  json() {
    const { id, projectId, tabName, status, createdAt, cols, rows } = this;
    return { id, projectId, type: 'system', tabName, status, isFocused: true, active: true, createdAt, cols, rows };
  }
  print(data) {
    const bytes = Buffer.from(data);
    this.output = Buffer.concat([this.output, bytes]);
    for (const socket of this.viewers) socket.send(bytes, { binary: true });
  }
  tell(message) {
    for (const socket of this.viewers) socket.send(JSON.stringify(message));
  }
  type(data) {
    if (this.child) return void this.child.stdin.write(data);
    for (const char of data.toString()) {
      if (char === '\r') {
        const line = this.line;
        this.line = '';
        this.print('\r\n');
        this.run(line);
        if (this.status !== 'closed') this.print('$ ');
      } else if (char === '\x7f') {
        if (this.line) this.print('\b \b');
        this.line = this.line.slice(0, -1);
      } else {
        this.line += char;
        this.print(char);
      }
    }
  }
  run(line) {
    const [command, ...rest] = line.split(' ');
    const text = rest.join(' ');
    if (command === 'echo') this.print(`${text}\r\n`);
    if (command === 'flood') for (let i = 1; i <= Number(text); i++) this.print(`${i}\r\n`);
    if (command === 'title') this.print(`\x1b]0;${text}\x07`);
    if (command === 'notice') {
      const message = text === 'maintenance' ? 'Maintenance at noon; shells go on.' : '';
      this.tell({ type: 'notice', kind: text, message });
    }
    if (command === 'engine') {
      for (const port of ['sessions', 'streams', 'telemetry']) this.engine[port] = text;
      this.tell({ type: 'notice', kind: 'engine', message: '', engine: this.engine });
    }
    if (command === 'drop') for (const socket of this.viewers) socket.close(Number(text), 'as told');
    if (command === 'exit') this.end({ code: Number(text) });
  }
  end(exit) {
    this.status = 'closed';
    this.server.sessions.delete(this.id);
    this.child?.kill();
    this.tell({ type: 'exit', ...exit });
    for (const socket of this.viewers) socket.close(1000);
  }
  resize(cols, rows, client) {
    if (this.cols === cols && this.rows === rows) return;
    Object.assign(this, { cols, rows });
    this.child?.stdio[3].write(`${rows} ${cols}\n`);
    this.tell({ type: 'resized', cols, rows, client });
  }
}

/** Starts the fake on `port` of 127.0.0.1 and returns {url, sessions, close}. */
export async function startFake({ dist, port = 0, shell }) {
  const fake = { sessions: new Map(), shell };
  const api = {
    'GET list': (url) => {
      const project = url.searchParams.get('projectId');
      const sessions = [...fake.sessions.values()].filter((s) => !project || s.projectId === project);
      return { sessions: sessions.map((session) => session.json()) };
    },
    'POST create': (url, body) => {
      const id = `session_${Date.now()}_${Math.random().toString(36).slice(2, 10)}`;
      const session = new Session(fake, id, body.projectId);
      fake.sessions.set(id, session);
      return { session: session.json() };
    },
    'PUT rename': (url, body, id) => ({ session: Object.assign(fake.sessions.get(id), { tabName: body.name }).json() }),
    'DELETE close': (url, body, id) => {
      fake.sessions.get(id)?.end({ signal: 'SIGHUP' });
      return { sessionId: id };
    },
  };

  const http = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://fake');
    response.setHeader('Content-Security-Policy', kPolicy);
    if (kTypes[url.pathname]) {
      response.setHeader('Content-Type', kTypes[url.pathname]);
      response.end(await readFile(`${dist}/${url.pathname === '/' ? 'index.html' : url.pathname.slice(1)}`));
      return;
    }
    const [, verb, id] = /^\/api\/terminal\/(\w+)(?:\/(.+))?$/.exec(url.pathname) ?? [];
    const route = api[`${request.method} ${verb}`];
    let body = '';
    for await (const chunk of request) body += chunk;
    response.statusCode = route ? 200 : 404;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(route ? { success: true, ...route(url, JSON.parse(body || '{}'), id) } : { success: false, error: 'no such route' }));
  });

  const sockets = new WebSocketServer({ server: http });
  sockets.on('connection', (socket, request) => {
    const url = new URL(request.url, 'http://fake');
    const id = decodeURIComponent(url.pathname.split('/')[2] ?? '');
    let session = fake.sessions.get(id);
    let tier = 'warm';
    let client;
    let next; // offset of the next byte of input on this connection
    socket.on('close', () => session?.viewers.delete(socket));
    socket.on('error', () => {});
    socket.on('message', (data, binary) => {
      if (binary) {
        const known = Math.min(data.length, session.input.get(client) - next);
        next += data.length;
        session.input.set(client, Math.max(next, session.input.get(client)));
        socket.send(JSON.stringify({ type: 'ack', input: session.input.get(client) }));
        return session.type(data.subarray(known));
      }
      const message = JSON.parse(data.toString());
      if (message.type === 'attach') {
        if (!session) {
          if (url.searchParams.get('create') === 'false') return socket.close(4404);
          tier = 'new';
          session = new Session(fake, id, url.searchParams.get('projectId') ?? 'default');
          fake.sessions.set(id, session);
        }
        client = message.client;
        const output = message.output ?? 0;
        next = message.input;
        if (!session.input.has(client)) session.input.set(client, 0);
        session.resize(message.cols, message.rows, client);
        socket.send(JSON.stringify({
          type: 'attached', session: session.json(), tier, output, replayUntil: session.output.length,
          input: session.input.get(client), engine: session.engine, window: 262144,
        }));
        if (session.output.length > output) socket.send(session.output.subarray(output), { binary: true });
        session.viewers.add(socket);
      } else if (message.type === 'resize') {
        session.resize(message.cols, message.rows, client);
      } else if (message.type === 'rename') {
        session.tabName = message.name;
      } else if (message.type === 'close') {
        session.end({ signal: 'SIGHUP' });
      } else if (message.type === 'ping') {
        socket.send(JSON.stringify({ type: 'pong', t: message.t }));
      }
    });
  });
  await new Promise((resolve) => http.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${http.address().port}`,
    sessions: fake.sessions,
    close: () => {
      for (const session of fake.sessions.values()) session.child?.kill();
      for (const socket of sockets.clients) socket.terminate();
      http.close();
    },
  };
}

if (process.argv[1]?.endsWith('fake-server.mjs')) {
  const shellAt = process.argv.indexOf('--shell');
  const shell = shellAt > 0 ? process.argv[shellAt + 1] : undefined;
  const [dist = 'dist', port = '8001'] = process.argv.slice(2, shellAt > 0 ? shellAt : undefined);
  console.log((await startFake({ dist, port: Number(port), shell })).url);
}
