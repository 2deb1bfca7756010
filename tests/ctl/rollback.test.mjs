// The rollback procedures as operators run them, on a real service with live sessions and viewers.
import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { alive, Place, programs, root, Terminal, until } from './support.mjs';

const kSessions = 6;

/** A service with `kSessions` shells and an open terminal on each. */
async function withService(settings, use) {
  const place = await (await Place.make(settings)).serve();
  const terminals = [];
  try {
    for (let i = 0; i < kSessions; ++i) terminals.push(await Terminal.open(place, `s${i}`));
    const shells = await Promise.all(terminals.map((terminal) => terminal.shell('first')));
    await use(place, terminals, shells);
  } finally {
    for (const terminal of terminals) terminal.close();
    await place.remove();
  }
}

const tool = (name) => join(root, 'tools', name);
/** Runs a procedure to its end; its report is on stdout. */
async function procedure(place, name, args = [], environment = {}) {
  const run = await place.start(tool(name), ['--no-bundle', ...args], environment).ended();
  return { ...run, report: run.stdout ? JSON.parse(run.stdout) : undefined, output: run.output };
}
const ask = async (place, path) =>
  (await fetch(`http://127.0.0.1:${place.info().http_port}${path}`)).json();
const engines = async (place) =>
  (await ask(place, '/api/admin/sessions')).sessions.map(({ engine }) => Object.values(engine).join());

/** The same shells answer on the connections that were open all the time. */
async function unharmed(terminals, shells, mark) {
  for (const [i, terminal] of terminals.entries()) {
    assert.equal(terminal.closed, undefined, `terminal ${i} was closed`);
    assert.equal(await terminal.shell(mark), shells[i]);
  }
}

test('the emergency procedure moves all and proves that nothing was lost', async () => {
  await withService({}, async (place, terminals, shells) => {
    const { status, report, stderr } = await procedure(place, 'emergency-rollback.sh', ['--reason=INC-1']);
    assert.equal(status, 0, stderr);
    assert.equal(report.ok, true);
    const verified = report.steps.at(-1);
    assert.deepEqual(verified.tiers, { live: kSessions });
    assert.equal(verified.came_back.length, kSessions);
    const flip = report.steps.find(({ flip: found }) => found).flip;
    assert.deepEqual([flip.moved, flip.lost, flip.reason], [kSessions, 0, 'INC-1']);
    assert.equal(flip.offsets_sha256.before, flip.offsets_sha256.after);
    assert.deepEqual(await engines(place), Array(kSessions).fill('legacy,legacy,legacy'));
    await unharmed(terminals, shells, 'after');
    const again = await procedure(place, 'emergency-rollback.sh');
    assert.equal(again.status, 0, again.stderr);
    assert.equal(again.report.steps.find(({ flip: found }) => found).flip.moved, 0);
  });
});

test('a part goes back alone, and only by its name', async () => {
  await withService({}, async (place, terminals, shells) => {
    for (const args of [[], ['everything'], ['sessions', 'streams']]) {
      assert.equal((await procedure(place, 'rollback-service.sh', args)).status, 2);
    }
    const { status, stderr } = await procedure(place, 'rollback-service.sh', ['streams']);
    assert.equal(status, 0, stderr);
    const now = (await ask(place, '/api/admin/sessions')).sessions.map(({ engine }) => engine);
    for (const engine of now) {
      assert.deepEqual(engine, { sessions: 'refactored', streams: 'legacy', telemetry: 'refactored' });
    }
    await unharmed(terminals, shells, 'after');
  });
});

for (const name of ['rollback-phase1.sh', 'rollback-phase2.sh', 'rollback-phase3.sh', 'rollback-phase4.sh',
  'emergency-full-rollback.sh']) {
  test(`${name} keeps every shell and every connection`, async () => {
    await withService({}, async (place, terminals, shells) => {
      const options = { 'rollback-phase4.sh': ['--monitor=1'], 'emergency-full-rollback.sh': ['--traffic-pause=0'] };
      const { status, report, stderr } = await procedure(place, name, options[name]);
      assert.equal(status, 0, `${stderr}\n${JSON.stringify(report?.steps?.at(-1))}`);
      assert.ok(report.steps.every(({ ok }) => ok));
      assert.deepEqual(report.steps.find(({ tiers }) => tiers).tiers, { live: kSessions });
      assert.deepEqual(new Set(await engines(place)), new Set(['legacy,legacy,legacy']));
      await unharmed(terminals, shells, 'after');
      const health = await ask(place, '/api/health/terminal');
      assert.notEqual(health.status, 'unhealthy');
    });
  });
}

/** terminal-ctl, but what `line` (shell) says happens first; $n is the number of this call. */
async function tampered(place, line) {
  const file = join(place.directory, 'tampered');
  const counter = join(place.directory, 'calls');
  await writeFile(counter, '0');
  await writeFile(file, `#!/bin/bash\nn=$(($(cat ${counter}) + 1))\necho $n >${counter}\n${line}\nexec ${programs.ctl} "$@"\n`);
  await chmod(file, 0o755);
  return { environment: { DEV_CTL: file }, calls: () => Number(readFileSync(counter, 'utf8')) };
}

test('a step that fails is undone: maintenance off, flag back, .env as it was', async () => {
  await withService({}, async (place, terminals, shells) => {
    const env = join(place.directory, '.env');
    await writeFile(env, 'TERMINAL_LOG_LEVEL=info');
    for (const [name, failing] of [['rollback-phase3.sh', 'state restore'], ['rollback-phase4.sh', 'migrate-to-legacy'],
      ['rollback-phase2.sh', 'restart']]) {
      const { environment } = await tampered(place, `[[ "$*" != *"${failing}"* ]] || { echo broken; exit 1; }`);
      const { status, report, stderr } = await procedure(place, name, [], environment);
      assert.equal(status, 1, stderr);
      assert.equal(report.ok, false);
      assert.ok(report.undone.length > 0 && report.undone.every(({ ok }) => ok), JSON.stringify(report.undone));
      const health = await ask(place, '/api/health/terminal');
      assert.equal(health.admission.maintenance, false, name);
      assert.deepEqual(new Set(await engines(place)), new Set(['refactored,refactored,refactored']), name);
      assert.equal(await readFile(env, 'utf8'), 'TERMINAL_LOG_LEVEL=info', name);
    }
    await unharmed(terminals, shells, 'after');
  });
});

test('a procedure that is killed anywhere is run again, and all is right', async () => {
  await withService({}, async (place, terminals, shells) => {
    // Every call of terminal-ctl is in the middle of some step.
    const killed = 'if [[ -s $0.at && $n == $(cat $0.at) ]]; then kill -9 $TERMINAL_PROCEDURE_PID; exit 1; fi';
    const { environment, calls } = await tampered(place, killed);
    await writeFile(`${environment.DEV_CTL}.at`, '');
    assert.equal((await procedure(place, 'rollback-phase3.sh', [], environment)).status, 0);
    const all = calls();
    assert.ok(all > 10, `${all} calls`);
    for (let at = 1; at <= all; at += 2) {
      await writeFile(join(place.directory, 'calls'), '0');
      await writeFile(`${environment.DEV_CTL}.at`, String(at));
      const run = await place.start(tool('rollback-phase3.sh'), ['--no-bundle'], environment).ended();
      assert.equal(run.status, 'SIGKILL', `call ${at}`);
      const again = await procedure(place, 'rollback-phase3.sh');
      assert.equal(again.status, 0, `after the kill at call ${at}: ${again.stderr}`);
      assert.equal((await ask(place, '/api/health/terminal')).admission.maintenance, false);
    }
    await unharmed(terminals, shells, 'after');
  });
});

test('the service is killed in the middle of a procedure; started and run again all is right', async () => {
  await withService({}, async (place, terminals, shells) => {
    const { environment } = await tampered(place, '[[ "$*" != *"state restore"* ]] || kill -9 $(jq .pid "$TERMINAL_STATE_DIR/service.json")');
    const failed = await procedure(place, 'rollback-phase3.sh', [], environment);
    assert.equal(failed.status, 1);
    await until(() => !alive(place.info().pid), 'the end of the service');
    await place.serve();
    const again = await procedure(place, 'rollback-phase3.sh');
    assert.equal(again.status, 0, again.stderr);
    assert.deepEqual(new Set(await engines(place)), new Set(['legacy,legacy,legacy']));
    const back = await Promise.all(terminals.map((_, i) => Terminal.open(place, `s${i}`)));
    for (const [i, terminal] of back.entries()) {
      assert.equal(await terminal.shell('back'), shells[i]);
      terminal.close();
    }
  });
});

test('two at once: the second says who is at work', async () => {
  await withService({}, async (place) => {
    const { environment } = await tampered(place, '[[ "$*" != *health* ]] || until [[ -e $0.go ]]; do sleep 0.05; done');
    const first = place.start(tool('emergency-rollback.sh'), ['--no-bundle'], environment);
    await until(() => /ok flag off/.test(first.stderr), 'the first at its health check');
    const second = await procedure(place, 'rollback-phase1.sh');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /another procedure runs/);
    await writeFile(`${environment.DEV_CTL}.go`, '');
    await first.ended();
    assert.equal(first.status, 0, first.stderr);
  });
});
