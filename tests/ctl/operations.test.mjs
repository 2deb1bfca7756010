// Every command of the operations plan (OPERATIONS.md 1), as it is written there, ports and paths aside, on a
// real service with live sessions, a PostgreSQL and a Redis.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Postgres, Redis } from './databases.mjs';
import { Place, programs, root, Terminal } from './support.mjs';
import { alive, until } from '../support/waiting.mjs';

const kSessions = 4;
let postgres;
let redis;
let place;
let terminals = [];
let shells;

before(async () => {
  postgres = new Postgres();
  redis = new Redis();
  place = await Place.make({
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    TERMINAL_LOG_DIR: '.',
    TERMINAL_ERROR_LOG: 'terminal-error.log',
    TERMINAL_LOG_LEVEL: 'info',
  });
  await place.serve();
  for (let i = 0; i < kSessions; ++i) terminals.push(await Terminal.open(place, `s${i}`));
  shells = await Promise.all(terminals.map((terminal) => terminal.shell('first')));
});
after(async () => {
  for (const terminal of terminals) terminal.close();
  await place?.remove();
  redis?.remove();
  postgres?.remove();
});

/** What an operator types, in a shell. */
async function typed(command) {
  const { ws_port: ws, http_port: http } = place.info();
  const line = command
    .replaceAll('localhost:4000', `localhost:${http}`)
    .replaceAll(/:4001\b/g, `:${ws}`) // also a port may begin like that
    .replaceAll('/var/log/terminal-error.log', join(place.directory, 'terminal-error.log'))
    .replaceAll('migrations/', `${root}migrations/`)
    .replaceAll('./quick-restart.sh', `${root}quick-restart.sh`)
    .replaceAll('./dev ', `${root}tests/ctl/dev_without_build.sh `)
    .replaceAll('redis-cli ', `redis-cli -s ${redis.socket} `);
  const run = await place.start('bash', ['-o', 'pipefail', '-c', line]).ended();
  assert.equal(run.status, 0, `${line}: ${run.output}`);
  return run.stdout;
}
const json = async (command) => JSON.parse(await typed(command));
async function unharmed(mark) {
  for (const [i, terminal] of terminals.entries()) {
    assert.equal(terminal.closed, undefined, `terminal ${i} after ${mark}`);
    assert.equal(await terminal.shell(mark), shells[i]);
  }
}
const engine = async () => (await json('curl -s http://localhost:4000/api/health/terminal')).engine.streams;

test('the flag, with force and without', async () => {
  const moved = await json(`curl -s -X POST http://localhost:4000/api/admin/feature-flags -H "Content-Type: application/json" \
     -d '{"terminal_refactor": false, "force": true}'`);
  assert.deepEqual([moved.flip.moved, moved.flip.lost, moved.flip.good], [kSessions, 0, true]);
  assert.equal(await engine(), 'legacy');
  await typed(`curl -s -X POST http://localhost:4000/api/admin/feature-flags -d '{"terminal_refactor": true, "force": true}'`);
  const alone = await json(`curl -s -X POST http://localhost:4000/api/admin/feature-flags -d '{"terminal_refactor": false}'`);
  assert.equal(alone.flip.moved, 0);
  await typed(`curl -s -X POST http://localhost:4000/api/admin/feature-flags -d '{"terminal_refactor": true, "force": true}'`);
  await unharmed('flag');
});

test('maintenance and traffic', async () => {
  assert.equal((await json('curl -s -X POST http://localhost:4000/api/admin/maintenance/enable')).admission.maintenance, true);
  const worded = await json(
    `curl -s -X POST http://localhost:4000/api/admin/maintenance/enable -d '{"message": "new disks", "eta": "60 minutes"}'`);
  assert.deepEqual([worded.admission.message, worded.admission.eta], ['new disks', '60 minutes']);
  const share = await json(`curl -s -X POST http://localhost:4000/api/admin/traffic -d '{"percentage": 25}'`);
  assert.equal(share.admission.percentage, 25);
  const off = await json('curl -s -X POST http://localhost:4000/api/admin/maintenance/disable');
  assert.deepEqual([off.admission.maintenance, off.admission.percentage], [false, 100]);
  await unharmed('maintenance');
});

test('health and metrics', async () => {
  const health = await json('curl -s http://localhost:4000/api/health/terminal');
  assert.equal(health.status, 'healthy', JSON.stringify(health.reasons));
  assert.equal(health.store.store, 'postgresql');
  assert.match(await typed('curl -s http://localhost:4000/api/metrics/errors | jq .rate'), /^[0-9.]+\n$/);
  const all = await json('curl -s http://localhost:4000/api/metrics/terminals | jq .');
  assert.equal(all.sessions.total, kSessions);
  const parts = await typed('curl -s http://localhost:4000/api/metrics/terminals/{sessions,errors,memory}');
  assert.match(parts, /"lost":0/);
});

test('.env and a restart, a quick restart', async () => {
  await typed('echo "TERMINAL_REFACTOR_ENABLED=false" >> .env; echo "TERMINAL_DUAL_WRITE=false" >> .env; ./dev restart');
  const flags = await json('curl -s http://localhost:4000/api/admin/feature-flags');
  assert.equal(flags.flags.terminal_dual_write.value, false);
  await typed('./quick-restart.sh');
  await unharmed('restart');
  await writeFile(join(place.directory, '.env'), '');
});

test('the cache is emptied and nothing notices', async () => {
  await until(() => Number(redis.cli('DBSIZE')) >= kSessions, 'entries in the cache');
  assert.equal(await typed('redis-cli FLUSHDB'), 'OK\n');
  await unharmed('flush');
  assert.equal((await json('curl -s http://localhost:4000/api/health/terminal')).status, 'healthy');
});

test('the database is saved and its schema goes back, before the data does', async () => {
  await until(() => postgres.query('SELECT count(*) FROM terminal_sessions_v2') === String(kSessions), 'rows in v2');
  await typed('pg_dump $DATABASE_URL > rollback-checkpoint.sql; psql -q $DATABASE_URL < migrations/rollback-terminal-v2.sql');
  assert.match(await readFile(join(place.directory, 'rollback-checkpoint.sql'), 'utf8'), /terminal_sessions_v2/);
  assert.equal(postgres.query('SELECT count(*) FROM terminal_sessions_v2'), String(kSessions), 'v2 stays readable');
  const moved = await place.ctl(['--json', 'db', 'migrate-to-legacy', '--source=terminal_sessions_v2',
    '--target=terminal_sessions', '--beside-service']);
  assert.equal(moved.status, 0, moved.output);
  assert.equal(JSON.parse(moved.stdout).rows, kSessions);
  assert.equal(postgres.query('SELECT count(*) FROM terminal_sessions'), String(kSessions));
  await unharmed('schema');
});

test('the error log and the connections are counted', async () => {
  assert.match(await typed('tail -20 /var/log/terminal-error.log | grep -c ERROR || true'), /^\d+\n$/);
  // Both ends of each are on this machine.
  assert.equal(Number(await typed('netstat -an | grep :4001 | grep ESTABLISHED | wc -l')), 2 * kSessions);
});

test('the monitor watches and says so', async () => {
  const run = await place.start(join(root, 'tools/monitor-terminals'), ['--duration=1', '--json']).ended();
  assert.equal(run.status, 0, run.output);
  assert.equal(JSON.parse(run.stdout).sessions, kSessions);
  const strict = await place.start(join(root, 'tools/monitor-terminals'), ['--duration=0', '--max-memory=0']).ended();
  assert.equal(strict.status, 1);
  assert.match(strict.stdout, /CROSSED/);
});

test('legacy mode at a start', async () => {
  place.service.child.kill('SIGTERM');
  const { pid } = place.info();
  try { process.kill(pid, 'SIGTERM'); } catch { /* it was the one just told */ }
  // Its file goes first, its ports with the process.
  await until(() => { try { place.info(); return false; } catch { return !alive(pid); } }, 'the end of the service');
  place.environment.TERMINAL_LEGACY_MODE = 'true';
  await place.serve();
  assert.equal(await engine(), 'legacy');
  const sessions = (await json('curl -s http://localhost:4000/api/admin/sessions')).sessions;
  assert.equal(sessions.length, kSessions);
  assert.ok(sessions.every(({ engine: by }) => Object.values(by).every((name) => name === 'legacy')));
  assert.deepEqual(sessions.map(({ pid: shell }) => String(shell)).sort(), [...shells].sort());
});
