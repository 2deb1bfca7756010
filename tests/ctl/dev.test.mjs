// ./dev start, stop and restart around hand-overs, without a build (dev_without_build.sh).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Place, Terminal } from './support.mjs';
import { alive, until } from '../support/waiting.mjs';

/** A place of the test's own, taken away at its end. */
async function withPlace(context, settings) {
  const place = await Place.make(settings);
  context.after(() => place.remove());
  return place;
}

/** Hands over, and waits until the old process has left. */
async function handOver(place) {
  const { pid } = place.info();
  const run = await place.ctl(['restart', '--probation=0ms']);
  assert.equal(run.status, 0, run.output);
  await until(() => !alive(pid), 'the end of the old process');
  return place.info().pid;
}

test('start stays in front over hand-overs; SIGTERM ends whoever serves then, and it ends with 0', async (context) => {
  const place = await withPlace(context);
  const front = place.dev(['start']);
  await place.serving();
  const terminal = await Terminal.open(place);
  const shell = await terminal.shell('before');
  await handOver(place);
  const last = await handOver(place);
  assert.equal(await terminal.shell('after'), shell);
  await until(() => front.stderr.includes(`handed over to process ${last}`), 'start to notice');
  assert.equal(front.status, undefined);
  front.child.kill('SIGTERM');
  await front.ended();
  assert.equal(front.status, 0, front.output);
  assert.ok(!alive(last));
  assert.ok(alive(shell), 'the shell is with the holder');
});

test('SIGTERM in the moment of a hand-over ends the new process, too', async (context) => {
  const place = await withPlace(context);
  const front = place.dev(['start']);
  await place.serving();
  const run = await place.ctl(['restart', '--probation=10s']); // both processes are there now
  assert.equal(run.status, 0, run.output);
  const { pid } = place.info();
  front.child.kill('SIGTERM');
  await front.ended();
  assert.equal(front.status, 0, front.output);
  assert.ok(!alive(pid));
});

test('start ends with 0 when the last process was stopped as planned, with 1 when it vanished', async (context) => {
  for (const [how, status] of [['planned', 0], ['killed', 1]]) {
    const place = await withPlace(context);
    const front = place.dev(['start']);
    await place.serving();
    const last = await handOver(place);
    await until(() => front.stderr.includes(`handed over to process ${last}`), 'start to notice');
    if (how === 'planned') assert.equal((await place.dev(['stop']).ended()).status, 0);
    else process.kill(last, 'SIGKILL');
    await front.ended();
    assert.equal(front.status, status, `${how}: ${front.output}`);
  }
});

test('start ends with the status of a service that refuses its configuration', async (context) => {
  const place = await withPlace(context);
  assert.equal((await place.dev(['start', '--port=nonsense']).ended()).status, 78);
});

test('restart starts one in the background, then hands over; new settings start anew; shells stay', async (context) => {
  const place = await withPlace(context);
  const first = await place.dev(['restart']).ended();
  assert.equal(first.status, 0, first.output);
  assert.match(first.stdout, /running: process \d+/);
  const terminal = await Terminal.open(place);
  const shell = await terminal.shell('first');

  const second = await place.dev(['restart']).ended();
  assert.equal(second.status, 0, second.output);
  assert.match(second.stdout, /^handed over: /);
  assert.equal(await terminal.shell('second'), shell);
  assert.equal(terminal.closed, undefined);

  const { pid } = place.info();
  const third = await place.dev(['restart'], { TERMINAL_LEGACY_MODE: 'true' }).ended();
  assert.equal(third.status, 0, third.output);
  assert.match(third.stderr, /the environment differs \(TERMINAL_LEGACY_MODE\)/);
  await until(() => terminal.closed === 1001, 'the close of a planned stop');
  assert.notEqual(place.info().pid, pid);
  const again = await Terminal.open(place);
  assert.equal(await again.shell('third'), shell);

  const fourth = await place.dev(['restart', '--terminal-log-level=debug'], { TERMINAL_LEGACY_MODE: 'true' }).ended();
  assert.equal(fourth.status, 0, fourth.output);
  assert.match(fourth.stderr, /new arguments need a new start/);
  const last = await Terminal.open(place);
  assert.equal(await last.shell('fourth'), shell);

  const refused = await place.dev(['restart', '--port=nonsense']).ended();
  assert.equal(refused.status, 78);
  assert.equal(await last.shell('still'), shell);

  const { holder_pid: holder } = place.info();
  const end = await place.dev(['stop', '--end-sessions']).ended();
  assert.equal(end.status, 0, end.output);
  assert.ok(!alive(holder) && !alive(shell));
});

test('without a holder restart says that shells end, and restarts', async (context) => {
  const place = await withPlace(context, { TERMINAL_HOLDER: 'none' });
  await place.dev(['restart']).ended();
  const { pid } = place.info();
  const run = await place.dev(['restart']).ended();
  assert.equal(run.status, 0, run.output);
  assert.match(run.stderr, /cannot hand over: stop and start; open shells end/);
  assert.notEqual(place.info().pid, pid);
  assert.ok(alive(place.info().pid));
});
