// The rollback procedures as operators run them, on a real service with live sessions and viewers.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Postgres } from './databases.mjs';
import { ask, engines, kKillProcedure, kSessions, options, procedure, scripts, tampered, tool, unharmed, withService }
  from './procedures.mjs';
import { Terminal } from './support.mjs';
import { alive, until } from '../support/waiting.mjs';

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

for (const name of scripts) {
  test(`${name} keeps every shell and every connection`, async () => {
    await withService({}, async (place, terminals, shells) => {
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

test('what the terminal test of a run before left is closed', async () => {
  await withService({}, async (place, terminals, shells) => {
    const left = { sessionId: 'rollback-test-1', projectId: 'rollback-test' };
    const created = await place.ctl(['api', 'POST', '/api/terminal/create', JSON.stringify(left)]);
    assert.equal(created.status, 0, created.output);
    const { status, report, stderr } = await procedure(place, 'rollback-phase2.sh');
    assert.equal(status, 0, stderr);
    assert.deepEqual(report.steps.find(({ tiers }) => tiers).tiers, { live: kSessions });
    assert.equal((await ask(place, '/api/admin/sessions')).count, kSessions);
    await unharmed(terminals, shells, 'after');
  });
});

test('a shell that its user ended is no loss, one that is missing is', async () => {
  await withService({}, async (place, terminals, shells) => {
    const before = join(place.directory, 'before.json');
    const remembered = await place.ctl(['--json', 'remember']);
    assert.equal(remembered.status, 0, remembered.output);
    await writeFile(before, remembered.stdout);
    const verify = async (...args) => {
      const run = await place.ctl(['--json', 'verify', before, ...args]);
      return { status: run.status, ...JSON.parse(run.stdout) };
    };
    assert.deepEqual((await verify()).tiers, { live: kSessions });
    terminals[0].socket.send('exit\r');
    await until(async () => (await verify()).tiers.ended === 1, 'the end of a shell');
    assert.equal((await verify()).status, 0);
    const changed = JSON.parse(remembered.stdout);
    changed.sessions[1].pid += 1;
    changed.sessions[2].next_offset += 1_000_000;
    await writeFile(before, JSON.stringify(changed));
    const wrong = await verify();
    assert.equal(wrong.status, 1);
    assert.deepEqual(wrong.tiers, { ended: 1, cold: 1, behind: 1, live: kSessions - 3 });
    assert.match(wrong.error, /^2 sessions did not come back as live: /);
    // Whoever held the shells is another one now: nobody knows why one is gone.
    await writeFile(before, JSON.stringify({ ...JSON.parse(remembered.stdout), holder_pid: 1 }));
    assert.deepEqual((await verify('--tiers=live,cold')).tiers, { missing: 1, live: kSessions - 1 });
    assert.equal(await terminals[5].shell('still'), shells[5]);
  });
});

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

// At every place: rollback_kills.mjs.
test('a procedure that is killed is run again, and all is right', async () => {
  await withService({}, async (place, terminals, shells) => {
    const places = {
      'rollback-phase1.sh': ['feature-flags --timeout'],
      'rollback-phase2.sh': ['restart'],
      'rollback-phase3.sh': ['maintenance/enable', 'state restore', 'restart'],
      'rollback-phase4.sh': ['db backup', 'migrate-to-legacy', 'restart'],
      'emergency-full-rollback.sh': ['state export', 'restart'],
    };
    for (const [name, calls] of Object.entries(places)) {
      for (const call of calls) {
        const { environment } = await tampered(place, `[[ "$*" != *"${call}"* ]] || { ${kKillProcedure}; }`);
        const run = await place.start(tool(name), ['--no-bundle'], environment).ended();
        assert.equal(run.status, 'SIGKILL', `${name} at ${call}: ${run.output}`);
      }
      const again = await procedure(place, name, options[name]);
      assert.equal(again.status, 0, `${name}: ${again.stderr}`);
      assert.equal((await ask(place, '/api/health/terminal')).admission.maintenance, false, name);
      assert.deepEqual(new Set(await engines(place)), new Set(['legacy,legacy,legacy']), name);
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

// At every place, and for every procedure: rollback_kills.mjs.
test("phase 4 works on the service's own database, which is killed in the middle and comes back", async () => {
  const postgres = new Postgres();
  try {
    await withService({}, async (place, terminals, shells) => {
      await until(() => postgres.query('SELECT count(*) FROM terminal_sessions_v2') === String(kSessions), 'the rows');
      const { environment } = await tampered(place, `[[ "$*" != *migrate-to-legacy* ]] || ${postgres.stopCommand()}`);
      const failed = await procedure(place, 'rollback-phase4.sh', ['--monitor=0'], environment);
      assert.equal(failed.status, 1, failed.stderr);
      assert.match(failed.report.failure, /^data to legacy: the data did not move: .*postgresql/);
      assert.ok(failed.report.undone.every(({ ok }) => ok), JSON.stringify(failed.report.undone));
      assert.equal((await ask(place, '/api/health/terminal')).admission.maintenance, false);
      await unharmed(terminals, shells, 'between');
      postgres.start();
      const again = await procedure(place, 'rollback-phase4.sh', ['--monitor=0']);
      assert.equal(again.status, 0, again.stderr);
      await until(() => postgres.query('SELECT count(*) FROM terminal_sessions') === String(kSessions), 'the rows');
      await unharmed(terminals, shells, 'after');
    }, `DATABASE_URL=${postgres.url}\n`);
  } finally {
    postgres.remove();
  }
});

test('two at once: the second says who is at work', async () => {
  await withService({}, async (place) => {
    const { environment, calls } = await tampered(place, '[[ "$*" != *" rollback "* ]] || until [[ -e $0.go ]]; do sleep 0.05; done');
    const first = place.start(tool('emergency-rollback.sh'), ['--no-bundle'], environment);
    await until(() => calls() === 1, 'the first at work');
    const second = await procedure(place, 'rollback-phase1.sh');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /another procedure runs/);
    await writeFile(`${environment.DEV_CTL}.go`, '');
    await first.ended();
    assert.equal(first.status, 0, first.stderr);
  });
});
