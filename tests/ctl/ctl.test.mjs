// terminal-ctl as an operator uses it, against real services with a live session.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Place, root, Terminal } from './support.mjs';
import { alive, until } from '../support/waiting.mjs';

let place;
let terminal;
let shell;
before(async () => {
  place = await (await Place.make()).serve();
  terminal = await Terminal.open(place);
  shell = await terminal.shell('first');
});
after(async () => {
  terminal?.close();
  await place?.remove();
});

test('what makes no sense is refused with status 2, and help is none of that', async () => {
  for (const args of [[], ['nonsense'], ['restart', '--probation=soon'], ['restart', '--probation=2h'],
    ['restart', 'extra'], ['flags', 'terminal_refactor=perhaps'], ['flags', 'no_such_flag=true'],
    ['sessions', '--project=a b']]) {
    const { status, stderr } = await place.ctl(args);
    assert.equal(status, 2, `${args}: ${stderr}`);
    assert.notEqual(stderr, '');
  }
  for (const args of [['--help'], ['restart', '--help'], ['--version']]) {
    assert.equal((await place.ctl(args)).status, 0, String(args));
  }
  assert.match((await place.ctl(['--help'])).stdout, /TERMINAL_ADMIN_TOKEN[^]*Exit status/);
});

test('without a service it says where it looked and what to do', async () => {
  const nowhere = join(place.directory, 'nowhere');
  for (const command of ['restart', 'status', 'health', 'sessions', 'flags']) {
    const { status, stdout, stderr } = await place.ctl(['--state-dir', nowhere, command]);
    assert.equal(status, 1, command);
    assert.equal(stdout, '');
    assert.ok(stderr.includes(`no service runs with the state in ${nowhere}`) && stderr.includes('--state-dir'), stderr);
  }
  const { status, stdout } = await place.ctl(['--json', '--state-dir', nowhere, 'restart']);
  assert.equal(status, 1);
  assert.equal(JSON.parse(stdout).success, false);
});

test('status, health, sessions and flags tell what is, also as JSON', async () => {
  const { pid, holder_pid: holder } = place.info();
  const text = await place.ctl(['status']);
  assert.equal(text.status, 0);
  assert.ok(text.stdout.includes(`process ${pid}`) && text.stdout.includes(`process ${holder}`), text.stdout);
  const status = JSON.parse((await place.ctl(['status', '--json'])).stdout);
  assert.deepEqual([status.pid, status.holder_pid, status.health.sessions.total], [pid, holder, 1]);
  const health = await place.ctl(['--json', 'health']);
  assert.deepEqual([health.status, JSON.parse(health.stdout).status], [0, 'healthy']);
  assert.match((await place.ctl(['sessions'])).stdout, /^ID .*\none +/);
  const list = JSON.parse((await place.ctl(['--json', 'sessions'])).stdout);
  assert.deepEqual(list.sessions.map(({ id }) => id), ['one']);
  assert.match((await place.ctl(['flags'])).stdout, /terminal_refactor +true/);
});

test('flags moves live sessions and back', async () => {
  const away = await place.ctl(['flags', 'terminal_refactor=false', '--force', '--reason=test']);
  assert.equal(away.status, 0, away.output);
  assert.match(away.stdout, /1 sessions, 1 moved, 0 failed, 0 lost/);
  const back = JSON.parse((await place.ctl(['--json', 'flags', 'terminal_refactor=true', '--force'])).stdout);
  assert.equal(back.flip.moved, 1);
  assert.equal(await terminal.shell('flipped'), shell);
});

test('restart keeps the shell and the WebSocket, and says what it did', async () => {
  const before = place.info();
  const run = await place.ctl(['restart', '--probation=0ms', '--json']);
  assert.equal(run.status, 0, run.output);
  assert.equal(run.stderr, '');
  const report = JSON.parse(run.stdout);
  const now = place.info();
  assert.deepEqual([report.from.pid, report.to.pid, report.sessions, report.connections], [before.pid, now.pid, 1, 1]);
  assert.notEqual(now.pid, before.pid);
  assert.deepEqual([now.ws_port, now.http_port, now.holder_pid], [before.ws_port, before.http_port, before.holder_pid]);
  assert.equal(await terminal.shell('restarted'), shell);
  assert.equal(terminal.closed, undefined);
  place.service = undefined; // the process that was started has ended as it should

  const words = await place.ctl(['restart']);
  assert.match(words.stdout, /^handed over: process \d+ \(version \S+\) to \d+ \(version \S+\); 1 sessions, 1 connections, paused \d+ ms\n$/);
  assert.equal(words.stderr, '');
  assert.equal(await terminal.shell('again'), shell);
});

test('quick-restart.sh does the same from anywhere', async () => {
  const { pid } = place.info();
  const run = await place.start(join(root, 'quick-restart.sh'), ['--probation=0ms']).ended();
  assert.equal(run.status, 0, run.output);
  assert.match(run.stdout, /^handed over/);
  assert.notEqual(place.info().pid, pid);
  assert.equal(await terminal.shell('quickly'), shell);
  assert.equal(terminal.closed, undefined);
});

test('a program that cannot take over changes nothing, and the reason is told', async () => {
  const { pid } = place.info();
  for (const [binary, reason] of [['/bin/false', /ended with status 1/], ['/no/such/program', /cannot start \/no\/such\/program/]]) {
    const run = await place.ctl(['restart', `--binary=${binary}`]);
    assert.equal(run.status, 1, run.output);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, reason);
    assert.ok(run.stderr.includes(`process ${pid} goes on`), run.stderr);
    assert.equal(place.info().pid, pid);
    assert.ok(alive(pid));
  }
  assert.equal(await terminal.shell('unchanged'), shell);
  assert.equal(terminal.closed, undefined);
});

test('the token comes from the environment; without it, or with another, it says which is wanted', async () => {
  const guarded = await (await Place.make({ TERMINAL_ADMIN_TOKEN: 'right-token-of-this-test' })).serve();
  try {
    const none = await guarded.ctl(['status'], { TERMINAL_ADMIN_TOKEN: '' });
    assert.equal(none.status, 1);
    assert.match(none.stderr, /asks for a token: put its TERMINAL_ADMIN_TOKEN into the environment/);
    const wrong = await guarded.ctl(['restart'], { TERMINAL_ADMIN_TOKEN: 'wrong-token-of-this-test' });
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /refuses TERMINAL_ADMIN_TOKEN/);
    assert.ok(!/of-this-test/.test(none.output + wrong.output));
    const right = await guarded.ctl(['health']);
    assert.equal(right.status, 0, right.output);
  } finally {
    await guarded.remove();
  }
});

test('a service without a holder says that it cannot hand over', async () => {
  const alone = await (await Place.make({ TERMINAL_HOLDER: 'none' })).serve();
  try {
    const run = await alone.ctl(['restart']);
    assert.equal(run.status, 1);
    assert.match(run.stderr, /TERMINAL_HOLDER=none/);
  } finally {
    await alone.remove();
  }
});

test("the monitor goes by the service's own alerts, unless it is given a threshold", async () => {
  const strict = await (await Place.make({ TERMINAL_ALERT_MEMORY: '1MiB' })).serve();
  try {
    const watch = async (...args) => JSON.parse((await strict.ctl(['--json', 'monitor', '--duration=0', ...args])).stdout);
    await until(async () => (await watch()).crossed.includes('memory'), 'the alert');
    assert.equal((await strict.ctl(['monitor', '--duration=0'])).status, 1);
    assert.deepEqual((await watch('--max-memory=100000')).crossed, []);
  } finally {
    await strict.remove();
  }
});
