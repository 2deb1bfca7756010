// The replaced stack: node-pty and ws, speaking the legacy JSON dialect. What the replaced system did
// for each byte and each session is here; what only cost it time is not (its shell probe, its env
// files, its habit of deleting '%'), so the figures are the best it could have reached.
//
// Usage: node node_pty_server.mjs PORT SHELL
import { createServer } from 'node:http';
import pty from '@lydell/node-pty';
import { WebSocketServer } from 'ws';

const [port, shell] = process.argv.slice(2);
const kReplayCharacters = 2048;
const sessions = new Map();

function makeId() {
  return `session_${Date.now()}_${Math.random().toString(36).slice(2, 10)}`;
}

function start(id, workingDir) {
  const child = pty.spawn(shell, [], { name: 'xterm-256color', cols: 80, rows: 30, cwd: workingDir, env: process.env });
  const session = { child, socket: undefined, replay: '', workingDir };
  child.onData((data) => {
    session.replay = (session.replay + data).slice(-kReplayCharacters);
    send(session.socket, { type: 'stream', data });
  });
  child.onExit(({ exitCode }) => {
    send(session.socket, { type: 'exit', code: exitCode });
    session.socket?.close();
    sessions.delete(id);
  });
  sessions.set(id, session);
  return session;
}

function send(socket, message) {
  if (socket?.readyState === 1) socket.send(JSON.stringify(message));
}

function take(session, socket, message) {
  switch (message.type) {
    case 'input':
      session.child.write(message.data);
      break;
    case 'resize':
      session.child.resize(message.cols, message.rows);
      break;
    case 'ctrl':
      session.child.write(String.fromCharCode(message.key.toLowerCase().charCodeAt(0) & 0x1f));
      break;
    case 'ping':
      send(socket, { type: 'pong' });
      break;
  }
}

function connected(socket, request) {
  const query = new URL(request.url, 'http://localhost').searchParams;
  const id = query.get('sessionId') || makeId();
  const workingDir = query.get('path') || process.env.HOME;
  let session = sessions.get(id);
  if (session) {
    session.socket = socket;
    send(socket, { type: 'buffered', data: session.replay });
    send(socket, { type: 'reconnected', sessionId: id, workingDir: session.workingDir });
    send(socket, { type: 'history', data: session.replay });
  } else {
    session = start(id, workingDir);
    session.socket = socket;
    send(socket, { type: 'connected', sessionId: id, workingDir });
  }
  // A lost connection left the shell alone; this reason is what its kill button gave.
  socket.on('close', (code, reason) => {
    if (code === 1000 && String(reason) === 'Session closed by user') session.child.kill('SIGHUP');
  });
  socket.on('message', (text) => {
    try {
      take(session, socket, JSON.parse(text));
    } catch (error) {
      send(socket, { type: 'error', message: error.message });
    }
  });
}

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 100 * 1024 * 1024 });
sockets.on('connection', connected);
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => {
  for (const { child } of sessions.values()) child.kill('SIGKILL');
  process.exit(0);
});
