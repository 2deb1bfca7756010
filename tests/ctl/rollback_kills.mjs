// Each rollback procedure, disturbed at every place: itself killed, the service killed, the database killed and
// started again; then run once more, which must end in the right state with nothing lost. Takes an hour with --every=1.
//   TERMINAL_SERVICE_BIN=… TERMINAL_CTL=… node tests/ctl/rollback_kills.mjs
//     [--what=procedure,service,database] [--script=rollback-phase4.sh] [--every=1] [--from=1] [--sqlite]
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Postgres } from './databases.mjs';
import { ask, disturbed, engines, kKillProcedure, kSessions, options, procedure, scripts, tool, unharmed, withService }
  from './procedures.mjs';
import { Terminal } from './support.mjs';
import { alive, until } from '../support/waiting.mjs';

const given = (name, fallback) =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;
const every = Number(given('every', '1'));
const whats = given('what', 'procedure,service,database').split(',');
const postgres = process.argv.includes('--sqlite') ? undefined : new Postgres();

const acts = {
  procedure: kKillProcedure,
  service: 'kill -9 $(/usr/bin/jq .pid "$TERMINAL_STATE_DIR/service.json" | tee "$HOME/killed")',
  database: postgres?.stopCommand(),
};

/** Back to where a procedure begins: refactored, no lines in .env, nothing held. */
async function forward(place) {
  await writeFile(join(place.directory, '.env'), '');
  const { pid } = place.info();
  const restarted = await place.ctl(['--json', 'restart']);
  assert.equal(restarted.status, 0, restarted.output);
  // It stands by for a moment, and would go on in place of one that is killed.
  await until(() => !alive(pid), 'the end of the process before');
  const flags = await place.ctl(['--json', 'flags', 'terminal_refactor=true', '--force']);
  assert.equal(flags.status, 0, flags.output);
  assert.deepEqual(new Set(await engines(place)), new Set(['refactored,refactored,refactored']));
}

/** The service that was killed is gone; does one serve all the same? */
async function answers(place) {
  await until(() => !alive(Number(readFileSync(join(place.directory, 'killed'), 'utf8'))), 'the end of the service');
  const deadline = Date.now() + 5000;
  while (Date.now() < deadline && alive(place.info().pid)) {
    try {
      return (await fetch(`http://127.0.0.1:${place.info().http_port}/api/health/live`)).ok;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return false;
}

async function repaired(place, terminals, shells, what) {
  if (what === 'database') {
    postgres.start();
    // The service tries again every five seconds; until then a procedure that needs it is refused.
    await until(async () => (await ask(place, '/api/health/terminal')).store.status === 'ok', 'the store');
  }
  if (what !== 'service') return unharmed(terminals, shells, 'between');
  // Within the procedure's own hand-over the process before went on; else it is started.
  if (!(await answers(place))) await place.serve();
  // Their connections went with it; their shells did not.
  for (let i = 0; i < terminals.length; ++i) {
    terminals[i].close();
    terminals[i] = await Terminal.open(place, `s${i}`);
  }
}

async function checked(place, terminals, shells, mark) {
  const health = await ask(place, '/api/health/terminal');
  assert.notEqual(health.status, 'unhealthy', JSON.stringify(health.reasons));
  assert.deepEqual([health.admission.maintenance, health.admission.percentage], [false, 100]);
  assert.deepEqual(await engines(place), Array(kSessions).fill('legacy,legacy,legacy'));
  for (const [i, terminal] of terminals.entries()) assert.equal(await terminal.shell(mark), shells[i]);
  if (!postgres) return;
  await until(() => postgres.query('SELECT count(*) FROM terminal_sessions') === String(kSessions), 'the rows of all');
  assert.deepEqual((await ask(place, '/api/health/terminal')).store.lost, 0);
}

async function drill(name, what) {
  await withService(postgres ? { DATABASE_URL: postgres.url } : {}, async (place, terminals, shells) => {
    const { environment, calls, at } = await disturbed(place, acts[what]);
    const whole = await procedure(place, name, options[name], environment);
    assert.equal(whole.status, 0, whole.stderr);
    const all = calls();
    const ends = {};
    for (let number = Number(given('from', '1')); number <= all; number += every) {
      await forward(place);
      await at(number);
      const run = place.start(tool(name), ['--no-bundle', ...(options[name] ?? [])], environment);
      try {
        await run.ended();
        ends[run.status] = (ends[run.status] ?? 0) + 1;
        await repaired(place, terminals, shells, what);
        const again = await procedure(place, name, options[name]);
        assert.equal(again.status, 0, again.stderr);
        await checked(place, terminals, shells, `n${number}`);
      } catch (error) {
        error.message = `${name}, ${what} killed at start ${number} of ${all}: ${error.message}\n${run.output.slice(-1500)}`;
        throw error;
      }
    }
    console.log(`${name}, ${what}: ${all} places, ended with ${JSON.stringify(ends)}; right each time after the next run`);
  });
  if (postgres) postgres.query('TRUNCATE terminal_sessions, terminal_sessions_v2');
}

try {
  for (const name of given('script', scripts.join()).split(','))
    for (const what of whats) if (acts[what]) await drill(name, what);
} finally {
  postgres?.remove();
}
