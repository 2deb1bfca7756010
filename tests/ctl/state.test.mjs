// terminal-ctl state, db and recover-connections, and the scripts in tools/, against real services.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Place, root, Terminal } from './support.mjs';
import { until } from '../support/waiting.mjs';

let from;
let to;
let file;
let terminal;
before(async () => {
  from = await (await Place.make()).serve();
  to = await Place.make();
  terminal = await Terminal.open(from, 'one');
  await terminal.shell('first');
  file = join(from.directory, 'state.json');
});
after(async () => {
  terminal?.close();
  await from?.remove();
  await to?.remove();
});

/** A script of tools/ with this file as its stdin. */
async function script(place, name, args = [], input = '/dev/null') {
  const child = spawn(join(root, 'tools', name), args, {
    cwd: place.directory, env: place.environment, stdio: [openSync(input, 'r'), 'pipe', 'pipe'],
  });
  const run = { stdout: '', stderr: '', status: undefined };
  child.stdout.on('data', (text) => (run.stdout += text));
  child.stderr.on('data', (text) => (run.stderr += text));
  child.on('close', (code, signal) => (run.status = code ?? signal));
  await until(() => run.status !== undefined, name);
  return run;
}
const summary = /restored (\d+), adopted (\d+) \(live already\), skipped (\d+) \(the same already\), failed (\d+)/;
const numbers = (text) => summary.exec(text)?.slice(1).map(Number);

test('what makes no sense is refused with status 2', async () => {
  for (const args of [['state'], ['state', 'export', '--offline', '--live'], ['state', 'restore', '--engine=new'],
    ['db'], ['db', 'migrate'], ['db', 'migrate-to-legacy', '--source=users']]) {
    const { status, stderr } = await from.ctl(args);
    assert.equal(status, 2, `${args}: ${stderr}`);
  }
});

test('the export is JSON on stdout and nothing else, or a file that is complete', async () => {
  const run = await script(from, 'export-terminal-state', ['--reason=a test & more']);
  assert.equal(run.status, 0, run.stderr);
  const document = JSON.parse(run.stdout);
  assert.equal(document.format, 'terminal-state');
  assert.equal(document.reason, 'a test & more');
  assert.deepEqual(document.sessions.map(({ id }) => id), ['one']);
  assert.match(Buffer.from(document.sessions[0].output.data, 'base64').toString(), /first=\d+/);
  const filed = await from.ctl(['--json', 'state', 'export', '-o', file]);
  assert.equal(filed.status, 0, filed.output);
  assert.equal(JSON.parse(filed.stdout).bytes, statSync(file).size);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(existsSync(`${file}.part`), false);
  const nobody = await from.ctl(['state', 'export', '--session=nobody', '-o', `${file}.none`]);
  assert.equal(nobody.status, 1);
  assert.match(nobody.stderr, /nobody/);
  assert.equal(existsSync(`${file}.none`), false);
});

test('where the sessions live nothing is touched', async () => {
  const run = await script(from, 'restore-legacy-state', [], file);
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(numbers(run.stdout), [0, 1, 0, 0]);
});

test('a damaged file is refused and changes nothing', async () => {
  const bad = join(from.directory, 'bad.json');
  writeFileSync(bad, readFileSync(file, 'utf8').replace('terminal', 'Terminal'));
  const run = await script(from, 'recover-sessions', [], bad);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /nothing was restored: /);
});

test('offline into an empty place, then live again', async () => {
  const first = await to.ctl(['state', 'restore', '--offline', '--engine=legacy', file]);
  assert.equal(first.status, 0, first.output);
  assert.deepEqual(numbers(first.stdout), [1, 0, 0, 0]);
  const again = await to.ctl(['state', 'restore', '--offline', '--engine=legacy', '--lines', file]);
  assert.match(again.stdout, /^skipped one\n/);
  const copy = await to.ctl(['state', 'export', '--offline']);
  assert.deepEqual(JSON.parse(copy.stdout).sessions, JSON.parse(readFileSync(file, 'utf8')).sessions);
  const status = JSON.parse((await to.ctl(['--json', 'db', 'status'])).stdout);
  assert.equal(status.terminal_sessions, 1);
  assert.equal(status.terminal_sessions_v2, 0);
  await to.serve();
  const busy = await to.ctl(['state', 'restore', '--offline', file]);
  assert.equal(busy.status, 1);
  assert.match(busy.stderr, /stop it before/);
  const cold = JSON.parse((await to.ctl(['--json', 'status'])).stdout).health.sessions;
  assert.deepEqual([cold.total, cold.cold], [0, 1]);
  const answers = await script(to, 'recover-connections', [], file);
  assert.equal(answers.status, 0, answers.stderr);
  assert.match(answers.stdout, /^answers one: cold\n/);
  const back = await Terminal.open(to, 'one');
  await back.shell('second');
  assert.match(back.seen, /first=\d+[^]*session restored: [^]*second=\d+/);
  back.close();
});

test('some that do not answer are named, with status 3', async () => {
  const two = join(from.directory, 'two.json');
  writeFileSync(two, JSON.stringify({ sessions: [{ id: 'one' }, { id: 'never-was' }] }));
  const run = await script(from, 'recover-connections', [], two);
  assert.equal(run.status, 3, run.stderr);
  assert.match(run.stdout, /failed {2}never-was: closed with 4404/);
  assert.match(run.stdout, /answers one: /);
});

test('a session that is live and behind the file fails alone, with status 3', async () => {
  const ahead = join(from.directory, 'ahead.json');
  const data = Buffer.alloc(300_000, 'x').toString('base64');
  writeFileSync(ahead, JSON.stringify({ sessions: [{ id: 'one', output: { data } }, { id: 'new-one' }] }));
  const run = await script(from, 'recover-sessions', [], ahead);
  assert.equal(run.status, 3, run.stderr);
  assert.match(run.stdout, /failed one: it is live[^]*restored new-one\n/);
});

test('table to table, offline', async () => {
  const place = await Place.make();
  try {
    assert.equal((await place.ctl(['state', 'restore', '--offline', '--engine=refactored', file])).status, 0);
    const dry = await script(place, 'migrate-to-legacy',
      ['--source=terminal_sessions_v2', '--target=terminal_sessions', '--dry-run']);
    assert.match(dry.stdout, /1 sessions, 1 would be written/, dry.stderr);
    const rows = async () => JSON.parse((await place.ctl(['--json', 'db', 'status'])).stdout).terminal_sessions;
    assert.equal(await rows(), 0);
    const done = await script(place, 'migrate-to-legacy');
    assert.equal(done.status, 0, done.stderr);
    assert.equal(await rows(), 1);
    assert.match((await script(place, 'migrate-to-legacy')).stdout, /0 written, 1 unchanged/);
  } finally {
    await place.remove();
  }
});
