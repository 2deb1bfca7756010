// One measurement is one run of bench-load (or of work done here); a series is its contenders in turn,
// round after round.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { unable } from './machine.mjs';
import { contender, turns } from './plan.mjs';
import { kPeers, missing, Ours, startPeer } from './servers.mjs';
import { kOwnWorks } from './own_works.mjs';

/** bench-load's exit statuses that come with an answer: exact, wrong bytes, could not be done. */
const kAnswers = [0, 1, 3];

function run(file, args, { environment, timeout_s }) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout_s * 1000);
    const done = (status) => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr });
    };
    child.on('error', (error) => done(error.message));
    child.on('exit', (code, signal) => {
      const status = signal === 'SIGKILL' ? `no end after ${timeout_s} s` : (signal ?? code);
      child.once('close', () => done(status));
      // What it has started may keep its output open; all it said itself is there by then.
      setTimeout(done, 1000, status).unref();
    });
  });
}

/** What bench-load said, as an object; what it could not say is an `error` in it. */
export async function load(place, work, args, timeout_s) {
  const file = join(place.binaries, 'bench-load');
  const { status, stdout, stderr } = await run(file, [work, ...args], { environment: place.environment(), timeout_s });
  if (kAnswers.includes(status)) {
    try {
      return JSON.parse(stdout);
    } catch {
      // Told below.
    }
  }
  return { error: `bench-load ${work}: ${status}: ${stderr.trim().split('\n').pop() || stdout.trim()}` };
}

function serverArgs(server, dialect, work) {
  const args = [`--dialect=${dialect}`, `--url=${server.url}`];
  if (server.http) args.push(`--http=${server.http}`);
  // What recovery is given is killed: the service without its holder.
  if (work === 'recovery') return [...args, `--pid=${server.info().pid}`, `--restart-command=exec ${server.restartScript()}`];
  return [...args, ...server.pids.map((pid) => `--pid=${pid}`)];
}

async function start(place, { kind, server, settings }) {
  return kind === 'ours' ? Ours.start(place, settings) : startPeer(place, server);
}

async function measureOn(place, series, who, server) {
  if (kOwnWorks[series.work]) return kOwnWorks[series.work](place, series, server);
  return load(place, series.work, [...series.args, ...serverArgs(server, who.dialect ?? kPeers[who.server].dialect, series.work)], series.timeout_s);
}

/** With a server of its own where the series asks for one, else with the one that `shared` keeps. */
async function measure(place, series, name, shared) {
  const who = contender(name);
  if (who.kind === 'client' && kOwnWorks[series.work]) return kOwnWorks[series.work](place, series);
  if (who.kind === 'client') return load(place, series.work, series.args, series.timeout_s);
  if (who.kind === 'limit') return load(place, who.server, series.args, series.timeout_s);
  if (!series.fresh) {
    if (!shared.has(name)) shared.set(name, await start(place, who));
    return measureOn(place, series, who, shared.get(name));
  }
  const server = await start(place, who);
  try {
    return await measureOn(place, series, who, server);
  } finally {
    await server.stop();
  }
}

/** Those of a series that can take part; why the others cannot goes to `note`, once each. */
export function takingPart(series, paths, note) {
  return series.contenders.filter((name) => {
    const who = contender(name);
    const why = who.kind === 'peer' ? missing(who.server, paths) : undefined;
    if (why) note(`${who.server}: ${why}`);
    return !why;
  });
}

/** contender → one object for each round. One that failed twice in a row is not asked again. */
export async function measureSeries(place, series, { note, progress }) {
  const cannot = unable(series);
  if (cannot) {
    note(`${series.id}: left out: ${cannot}`);
    return {};
  }
  const contenders = takingPart(series, place.paths, note);
  const results = Object.fromEntries(contenders.map((name) => [name, []]));
  const shared = new Map();
  try {
    for (let round = 0; round < series.rounds; round++) {
      for (const name of turns(contenders, round)) {
        const runs = results[name];
        const failed = runs.slice(-2).filter((result) => result.error !== undefined);
        if (failed.length === 2) {
          runs.push({ error: failed[0].error });
          continue;
        }
        const began = performance.now();
        let result;
        try {
          result = await measure(place, series, name, shared);
        } catch (error) {
          result = { error: error.message };
        }
        if (result.error !== undefined) note(`${series.id}, ${name}: ${result.error}`);
        if (result.exact === false) note(`${series.id}, ${name}: WRONG BYTES: ${result.wrong ?? JSON.stringify(result)}`);
        result.took_seconds = Math.round((performance.now() - began) / 100) / 10;
        runs.push(result);
        progress(series, round, name, result);
      }
    }
  } finally {
    for (const server of shared.values()) await server.stop();
  }
  return results;
}
