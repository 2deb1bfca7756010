// What the tests of the rollback procedures share: a service with live shells, the scripts on it, and ways to
// disturb them.
import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Place, programs, root, Terminal } from './support.mjs';

export const kSessions = 6;

/** A service with `kSessions` shells and an open terminal on each; `dotenv` is its .env. */
export async function withService(settings, use, dotenv = '') {
  const place = await Place.make(settings);
  await writeFile(join(place.directory, '.env'), dotenv);
  // The scripts are called from somewhere else: what they need of it they ask the service.
  place.elsewhere = join(place.directory, 'elsewhere');
  await mkdir(place.elsewhere);
  await place.serve();
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

export const tool = (name) => join(root, 'tools', name);
/** Runs a procedure to its end; its report is on stdout. */
export async function procedure(place, name, args = [], environment = {}) {
  const run = await place.start(tool(name), ['--no-bundle', ...args], environment, place.elsewhere).ended();
  return { ...run, report: run.stdout ? JSON.parse(run.stdout) : undefined, output: run.output };
}
export const ask = async (place, path) =>
  (await fetch(`http://127.0.0.1:${place.info().http_port}${path}`)).json();
export const engines = async (place) =>
  (await ask(place, '/api/admin/sessions')).sessions.map(({ engine }) => Object.values(engine).join());

/** The same shells answer on the connections that were open all the time. */
export async function unharmed(terminals, shells, mark) {
  for (const [i, terminal] of terminals.entries()) {
    assert.equal(terminal.closed, undefined, `terminal ${i} was closed`);
    assert.equal(await terminal.shell(mark), shells[i]);
  }
}

/** terminal-ctl, but what `line` (shell) says happens first; $n is the number of this call. */
export async function tampered(place, line) {
  const file = join(place.directory, 'tampered');
  const counter = join(place.directory, 'calls');
  await writeFile(counter, '0');
  await writeFile(file, `#!/bin/bash\nn=$(($(cat ${counter}) + 1))\necho $n >${counter}\n${line}\nexec ${programs.ctl} "$@"\n`);
  await chmod(file, 0o755);
  return { environment: { DEV_CTL: file }, calls: () => Number(readFileSync(counter, 'utf8')) };
}

export const options = { 'rollback-phase4.sh': ['--monitor=0'], 'emergency-full-rollback.sh': ['--traffic-pause=0'] };
export const scripts = ['rollback-phase1.sh', 'rollback-phase2.sh', 'rollback-phase3.sh', 'rollback-phase4.sh',
  'emergency-full-rollback.sh'];

/**
 * Every program that a procedure starts, but before the one of that number (`at`) what `line` (shell) says. Each
 * step starts some, so every step has its numbers. `calls()` says how many there were.
 */
export async function disturbed(place, line) {
  const bin = join(place.directory, 'bin');
  await mkdir(bin, { recursive: true });
  const count = `exec 9>>${bin}/lock; flock 9; n=$(($(cat ${bin}/calls) + 1)); echo $n >${bin}/calls; exec 9>&-
if [[ $n == $(cat ${bin}/at) && -n \${TERMINAL_PROCEDURE_PID:-} ]]; then ${line}; fi`;
  const wrap = async (name, program) => {
    await writeFile(join(bin, name), `#!/bin/bash\n${count}\nPATH=\${PATH#${bin}:}\nexec ${program} "$@"\n`);
    await chmod(join(bin, name), 0o755);
  };
  for (const name of ['jq', 'sed', 'mv', 'cp', 'tar', 'pg_dump', 'psql', 'redis-cli']) await wrap(name, name);
  await wrap('ctl', programs.ctl);
  const set = (file, value) => writeFile(join(bin, file), String(value));
  await set('calls', 0);
  await set('at', '');
  return {
    environment: { DEV_CTL: join(bin, 'ctl'), PATH: `${bin}:${place.environment.PATH}` },
    calls: () => Number(readFileSync(join(bin, 'calls'), 'utf8')),
    at: async (number) => {
      await set('calls', 0);
      await set('at', number);
    },
  };
}
export const kKillProcedure = 'kill -9 $TERMINAL_PROCEDURE_PID; exit 1';
