// ./dev bench: starts ours and the peers, measures them in turn, judges, reports, records.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { judge } from './goals.mjs';
import { commit, disturbances, machine, ourVersion, stolenFromNow } from './machine.mjs';
import { measureSeries } from './measure.mjs';
import { parse, usage, UsageError } from './options.mjs';
import { kSeries, planned } from './plan.mjs';
import { compared, comparisonCells, filled, latest, pageReport, write } from './records.mjs';
import { number, table, terminalReport } from './report.mjs';
import { scaleReport } from './scale.mjs';
import { kPeers, missing, Place, versionOf } from './servers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const results_dir = join(root, 'bench/results');

function fill(page, report) {
  const file = join(root, 'docs', page);
  writeFileSync(file, filled(readFileSync(file, 'utf8'), report));
  return file;
}

function list() {
  for (const { id, title, rounds, args, contenders, quick } of kSeries) {
    process.stdout.write(`${id}: ${title}; ${rounds} rounds, ${args.join(' ')}${quick === null ? '; not in --quick' : ''}\n  ${contenders.join(' ')}\n`);
  }
}

function progress(series, round, name, result) {
  const value = result.error === undefined ? `${number(result.value)} ${result.unit}` : 'failed';
  process.stderr.write(`${series.id} ${round + 1}/${series.rounds} ${name}: ${value}, ${result.took_seconds} s\n`);
}

/** Everything of one run, as it is recorded. */
async function measureAll(options, series, place) {
  const notes = await disturbances();
  const note = (text) => {
    if (notes.includes(text)) return;
    notes.push(text);
    process.stderr.write(`bench: ${text}\n`);
  };
  for (const text of notes) process.stderr.write(`bench: ${text}\n`);

  const about = { date: new Date().toISOString(), quick: options.quick, commit: commit(root), version: ourVersion(place.binaries), machine: machine() };
  const peers = Object.fromEntries(Object.keys(kPeers).filter((name) => !missing(name, place.paths)).map((name) => [name, versionOf(name, place.paths)]));
  const results = {};
  const stolen = stolenFromNow();
  for (const one of series) results[one.id] = await measureSeries(place, one, { note, progress });
  about.machine.stolen_percent = stolen();
  return { ...about, peers, series: series.map(({ id, title, args, rounds }) => ({ id, title, args, rounds })), lines: judge(results), results, notes };
}

/** Full runs are records; a part of one, a short one or a check is not. */
function keep(options, record) {
  const full = !options.quick && !options.check && options.only.length === 0 && options.record;
  const { json, svg } = write(full ? results_dir : (options.out ?? join(root, 'build/bench')), record);
  const written = [json, svg];
  if (full) {
    written.push(fill('performance.md', pageReport(record, svg)));
    const scale = scaleReport(record);
    if (scale) written.push(fill('scale.md', scale));
    else process.stderr.write('bench: docs/scale.md stays: this run lacks a figure that it needs\n');
  }
  process.stdout.write(`\nwritten: ${written.filter(Boolean).join(', ')}\n`);
}

function check(record, before) {
  const rows = compared(record, before);
  process.stdout.write(`\nagainst ${before.name}\n${table(['line', 'work', 'before', 'now', ''], rows.map(comparisonCells))}\n`);
  return rows.some((row) => row.lost);
}

/** Whether ours did all its work, exactly. Goals that are missed are told, and are no failure. */
function oursFailed(record) {
  return Object.values(record.results).some((contenders) =>
    Object.entries(contenders).some(([name, runs]) => name.startsWith('ours') && runs.some((run) => run.error !== undefined || run.exact === false)));
}

async function main() {
  const options = parse(process.argv.slice(2));
  if (options.help) return process.stdout.write(usage());
  if (options.list) return list();
  const series = planned(options);
  if (series.length === 0) throw new UsageError(`--only=${options.only.join(',')} names no series; --list shows them`);
  const before = options.check ? latest(results_dir) : undefined;
  if (options.check && !before) throw new UsageError(`--check has nothing to compare with: no record in ${results_dir}; a full run makes one`);
  if (options.dry_run) return;

  const place = new Place({ dir: mkdtempSync(join(tmpdir(), 'terminal-bench-')), binaries: options.binaries ?? join(root, 'build/release/bin'), paths: options.peers });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      await place.stopAll().catch((error) => process.stderr.write(`bench: ${error.message}\n`));
      rmSync(place.dir, { recursive: true, force: true });
      process.exit(130);
    });
  }
  try {
    const record = await measureAll(options, series, place);
    process.stdout.write(`${terminalReport(record)}\n`);
    keep(options, record);
    const lost = before !== undefined && check(record, before);
    process.exitCode = lost || oursFailed(record) ? 1 : 0;
  } finally {
    await place.stopAll();
    rmSync(place.dir, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(error instanceof UsageError ? `bench: ${error.message}\n` : `bench: ${error.stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
