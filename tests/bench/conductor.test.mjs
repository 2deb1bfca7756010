// The conductor from its command line, with a bench-load that says what this test wants: who has a turn
// when, and what becomes of answers that are wrong, missing or late.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { measureSeries } from '../../bench/measure.mjs';
import { Place } from '../../bench/servers.mjs';

const kConductor = new URL('../../bench/run.mjs', import.meta.url).pathname;

/** A directory with a bench-load that runs `body`; $1 is the work. */
function places(context, body) {
  const dir = mkdtempSync(join(tmpdir(), 'bench-conductor-'));
  context.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'bench-load'), `#!/bin/sh\necho "$1" >>${dir}/turns\n${body}\n`, { mode: 0o755 });
  return { dir, place: new Place({ dir, binaries: dir, paths: {} }), turns: () => readFileSync(join(dir, 'turns'), 'utf8').trim().split('\n') };
}

function series(changes) {
  return { id: 'test', work: 'limits', title: 'a test', rounds: 3, args: [], fresh: false, timeout_s: 10, contenders: ['limit-pty-read', 'limit-pty-tcp'], ...changes };
}

async function measured(place, one) {
  const notes = [];
  const results = await measureSeries(place, one, { note: (text) => notes.push(text), progress: () => {} });
  return { results, notes };
}

test('contenders take turns within each round, in rotated order', async (context) => {
  const { place, turns } = places(context, `echo '{"value": 1, "unit": "MB/s"}'`);
  const { results } = await measured(place, series());
  assert.deepEqual(turns(), ['limit-pty-read', 'limit-pty-tcp', 'limit-pty-tcp', 'limit-pty-read', 'limit-pty-read', 'limit-pty-tcp']);
  assert.deepEqual(results['limit-pty-tcp'].map(({ value }) => value), [1, 1, 1]);
});

test('one that fails twice in a row is not asked again, and the others go on', async (context) => {
  const { place, turns } = places(context, `[ "$1" = limit-pty-tcp ] && { echo '{"error": "refused"}'; exit 3; }; echo '{"value": 1, "unit": "x"}'`);
  const { results, notes } = await measured(place, series({ rounds: 4 }));
  assert.equal(turns().filter((work) => work === 'limit-pty-tcp').length, 2);
  assert.equal(results['limit-pty-read'].length, 4);
  assert.deepEqual(results['limit-pty-tcp'].map(({ error }) => error), Array(4).fill('refused'));
  assert.ok(notes.some((note) => note.includes('refused')));
});

test('an answer that is none, a crash and a client that never ends are errors that say so', async (context) => {
  const { place } = places(context, `case $1 in limit-a) echo nonsense;; limit-b) echo 'cannot open' >&2; exit 7;; limit-c) exec sleep 60;; esac`);
  const { results } = await measured(place, series({ rounds: 1, timeout_s: 1, contenders: ['limit-a', 'limit-b', 'limit-c'] }));
  assert.match(results['limit-a'][0].error, /nonsense/);
  assert.match(results['limit-b'][0].error, /7: cannot open/);
  assert.match(results['limit-c'][0].error, /no end after 1 s/);
});

test('wrong bytes are kept as a result and told', async (context) => {
  const { place } = places(context, `echo '{"value": 9, "unit": "MB/s", "exact": false, "wrong": "byte 7"}'; exit 1`);
  const { results, notes } = await measured(place, series({ rounds: 1 }));
  assert.equal(results['limit-pty-read'][0].exact, false);
  assert.ok(notes.some((note) => note.includes('WRONG BYTES: byte 7')));
});

test('a peer that is not there and a machine that is too small leave a note, no failure', async (context) => {
  const { place } = places(context, `echo '{"value": 1, "unit": "x"}'`);
  const without = await measured(place, series({ contenders: ['ttyd', 'limit-pty-read'] }));
  assert.deepEqual(Object.keys(without.results), ['limit-pty-read']);
  assert.ok(without.notes.some((note) => note.includes('--peer=ttyd:PATH')));
  const small = await measured(place, series({ ptys: 100_000_000 }));
  assert.deepEqual(small.results, {});
  assert.ok(small.notes.some((note) => note.includes('kernel.pty.max')));
});

test('the command prints the table, writes a record and leaves nothing behind', (context) => {
  const { dir } = places(context, `echo '{"value": 2500, "unit": "MB/s", "mb_per_s": 2500, "exact": true}'`);
  const run = spawnSync(process.execPath, [kConductor, '--quick', '--only=frames', `--binaries=${dir}`, `--out=${dir}/out`], { encoding: 'utf8', env: { ...process.env, TMPDIR: dir } });
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /frames: the client itself/);
  assert.match(run.stdout, /not measured: no ours:native/);
  const [name] = readdirSync(join(dir, 'out'));
  const record = JSON.parse(readFileSync(join(dir, 'out', name), 'utf8'));
  assert.equal(record.results.frames.client[0].mb_per_s, 2500);
  assert.ok(record.machine.cores > 0 && record.commit.length > 0);
  assert.deepEqual(readdirSync(dir).filter((entry) => entry.startsWith('terminal-bench-')), []);
});
