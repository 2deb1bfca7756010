// The smoke test: a service of its own on free ports, its health, one raw terminal, an echo, a planned
// end. Usage: node tools/smoke.mjs PATH-OF-TERMINAL-SERVICE; ends with 0 if all of it worked.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const { WebSocket } = createRequire(new URL('../web/package.json', import.meta.url))('ws');
const deadlineMs = 20_000;
const binary = process.argv[2];
if (!binary) {
  console.error('usage: node tools/smoke.mjs PATH-OF-TERMINAL-SERVICE');
  process.exit(2);
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Waits for `probe` to give something; throws what it threw last when time is up. */
async function until(what, probe) {
  const end = Date.now() + deadlineMs;
  let last = '';
  while (Date.now() < end) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = `: ${error.message}`;
    }
    await pause();
  }
  throw new Error(`${what} did not happen within ${deadlineMs / 1000} s${last}`);
}

/** Opens a raw terminal, types a sum and resolves when its result comes back. */
function echoThrough(port) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/terminal/smoke?cols=80&rows=24`, {
      origin: `http://127.0.0.1:${port}`,
    });
    const timer = setTimeout(() => reject(new Error('no echo from the terminal')), deadlineMs);
    let seen = '';
    socket.binaryType = 'nodebuffer';
    socket.on('open', () => socket.send('echo smoke-$((40 + 2))\r'));
    socket.on('message', (bytes) => {
      seen += bytes.toString('latin1');
      if (!seen.includes('smoke-42')) return;
      clearTimeout(timer);
      socket.close();
      resolve();
    });
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`the terminal closed with ${code}`)));
  });
}

const stateDir = await mkdtemp(join(tmpdir(), 'terminal-smoke-'));
// Nothing of the caller's configuration, and no .env of the directory that this runs in.
const env = { PATH: process.env.PATH, HOME: process.env.HOME ?? '/', TERMINAL_STATE_DIR: stateDir };
const service = spawn(binary, ['--port=0', '--terminal-ws-port=0'], {
  cwd: stateDir,
  env,
  stdio: ['ignore', 'pipe', 'pipe'],
});
let log = '';
for (const stream of [service.stdout, service.stderr]) stream.on('data', (text) => (log += text));
const ended = new Promise((resolve) => {
  service.on('error', (error) => resolve(error.message));
  service.on('exit', (code, signal) => resolve(signal ?? code));
});

let failed = true;
try {
  const ports = await Promise.race([
    until('writing service.json', async () => JSON.parse(await readFile(join(stateDir, 'service.json'), 'utf8'))),
    ended.then((how) => Promise.reject(new Error(`the service ended at once: ${how}`))),
  ]);
  const health = await until('a good health answer', async () => {
    const answer = await fetch(`http://127.0.0.1:${ports.http_port}/api/health/terminal`);
    return answer.ok && answer.json();
  });
  console.log(`smoke: healthy: ${JSON.stringify(health).slice(0, 200)}`);
  await echoThrough(ports.ws_port);
  console.log('smoke: a terminal echoes');
  service.kill('SIGTERM');
  const how = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, deadlineMs, 'still running').unref())]);
  if (how !== 0) throw new Error(`SIGTERM ended it with ${how}, not with 0`);
  console.log('smoke: ok');
  failed = false;
} catch (error) {
  console.error(`smoke: FAILED: ${error.message}\n${log}`);
} finally {
  service.kill('SIGKILL');
  // The holder keeps the terminal; it goes, too.
  spawnSync(binary, ['stop', '--end-sessions'], { cwd: stateDir, env, timeout: 20_000 });
  await rm(stateDir, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
