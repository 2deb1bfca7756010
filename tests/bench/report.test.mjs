// Plan, goals, report and records, on a run as it would come out.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chart } from '../../bench/chart.mjs';
import { judge, kLines } from '../../bench/goals.mjs';
import { parse, UsageError } from '../../bench/options.mjs';
import { contender, kSeries, planned, turns } from '../../bench/plan.mjs';
import { compared, filled, latest, pageReport, write } from '../../bench/records.mjs';
import { goalCells, number, seriesCells, terminalReport } from '../../bench/report.mjs';
import { capacity, scaleReport } from '../../bench/scale.mjs';
import { kPeers } from '../../bench/servers.mjs';

const kPage = new URL('../../docs/performance.md', import.meta.url);

function rounds(...values) {
  return values.map((mb_per_s) => ({ work: 'bulk', value: mb_per_s, unit: 'MB/s', exact: true, mb_per_s, cpu_per_gb: 500 / mb_per_s }));
}

/** Ours 3.2 times ttyd, and unclear against the limit. */
function results() {
  return {
    'bulk-raw': {
      'limit-pty-tcp': rounds(80, 90, 82),
      'ours:native': rounds(78, 84, 80),
      ttyd: rounds(24, 26, 25),
      node: [...rounds(20, 21), { error: 'refused' }],
    },
  };
}

function record(changes = {}) {
  const measured = results();
  return {
    date: '2026-11-23T10:00:00.000Z', quick: false, commit: 'abc', version: 'terminal-service 0.1.0', machine: { cpu: 'c', cores: 2, memory_gib: 4, kernel: 'k', system: 's', load_before: 0 },
    peers: { ttyd: 'ttyd version 1.7' }, series: [{ id: 'bulk-raw', title: 'bulk output, raw PTY', args: ['--mib=48'], rounds: 3 }], results: measured, lines: judge(measured), notes: [], ...changes,
  };
}
const lineOf = (lines, id) => lines.find((line) => line.id === id);

test('every line of the goals names a series and contenders that are in the plan', () => {
  for (const line of kLines) {
    const series = kSeries.find(({ id }) => id === line.series);
    assert.ok(series, `${line.id}: no series ${line.series}`);
    assert.ok(series.contenders.includes(line.ours), `${line.id}: ${line.ours} is not in ${series.id}`);
    const other = line.against?.series ? line.against : line.against && { series: line.series, contender: line.against };
    if (other) assert.ok(kSeries.find(({ id }) => id === other.series)?.contenders.includes(other.contender), `${line.id}: ${other.contender}`);
  }
  assert.equal(new Set(kLines.map(({ id }) => id)).size, kLines.length);
  assert.equal(new Set(kSeries.map(({ id }) => id)).size, kSeries.length);
});

test('every contender is ours, a limit, the client or a peer that can be started', () => {
  for (const name of new Set(kSeries.flatMap(({ contenders }) => contenders))) {
    const { kind, server, dialect } = contender(name);
    if (kind === 'peer') assert.ok(kPeers[server], name);
    if (kind === 'ours') assert.ok(['native', 'raw', 'legacy'].includes(dialect), name);
  }
  assert.throws(() => contender('ours@nonsense:native'), /no variant 'nonsense'/);
});

test('a quick run has less of everything, and --only picks by the begin of the name', () => {
  const quick = planned({ quick: true });
  assert.ok(quick.length > 5 && quick.length < kSeries.length);
  assert.ok(quick.every((series) => series.rounds <= kSeries.find(({ id }) => id === series.id).rounds));
  assert.deepEqual(planned({ only: ['echo-'] }).map(({ id }) => id), ['echo-1', 'echo-8']);
  assert.deepEqual(planned({ only: ['nonsense'] }), []);
});

test('the order of turns rotates and everybody has one', () => {
  assert.deepEqual(turns(['a', 'b', 'c'], 0), ['a', 'b', 'c']);
  assert.deepEqual(turns(['a', 'b', 'c'], 4), ['b', 'c', 'a']);
});

test('lines are judged by the ratio, and one that was not measured says what was missing', () => {
  const lines = judge(results());
  const met = lineOf(lines, 'bulk-ttyd');
  assert.equal(met.verdict, 'met');
  assert.equal(met.figure.value, 3.2);
  assert.equal(lineOf(lines, 'bulk-node').figure.runs, 2);
  const unclear = lineOf(lines, 'bulk-limit');
  assert.equal(unclear.verdict, 'within spread');
  assert.equal(lineOf(lines, 'cpu-ttyd').verdict, 'met');
  const missing = lineOf(lines, 'bulk-raw-ttyd');
  assert.equal(missing.verdict, 'not measured');
  assert.equal(missing.missing, 'ours:raw');
  assert.equal(lineOf(lines, 'echo-ttyd'), undefined);
});

test('wrong bytes are a miss however fast they came', () => {
  const measured = results();
  measured['bulk-raw']['ours:native'][1].exact = false;
  const line = lineOf(judge(measured), 'bulk-ttyd');
  assert.equal(line.verdict, 'missed');
  assert.ok(goalCells(line).at(-1).includes('wrong bytes'));
});

test('a line that is a figure by itself and one against another series are judged, too', () => {
  const echo = (...values) => values.map((p50_us) => ({ value: p50_us, unit: 'µs', p50_us, p99_us: 50_000, exact: true }));
  const lines = judge({ echo: { 'ours:native': echo(100, 110) }, 'echo-1': { 'ours:native': echo(300, 310) }, interrupt: { 'ours:native': echo(1) } });
  assert.equal(lineOf(lines, 'interrupt').verdict, 'met');
  assert.equal(lineOf(lines, 'interrupt').figure.value, 50);
  assert.equal(lineOf(lines, 'echo-1-alone').verdict, 'missed');
});

test('numbers have three digits that mean something', () => {
  assert.deepEqual([0, 0.123, 1.234, 12.34, 123.4, 1234567].map(number), ['0', '0.12', '1.23', '12.3', '123', '1,234,567']);
  assert.equal(number(undefined), '-');
});

test('the report has machine, verdicts, every contender, and who failed', () => {
  const text = terminalReport(record({ notes: ['the machine was busy'] }));
  assert.doesNotMatch(text, /stolen/, 'a record that does not say');
  const machine = { ...record().machine, stolen_percent: 12.5 };
  assert.match(terminalReport(record({ machine })), /load before 0, 12\.5 % of its time stolen/);
  for (const part of ['2 cores', 'ttyd version 1.7', 'met', 'limit-pty-tcp', 'the machine was busy', '1 of 3 failed']) assert.ok(text.includes(part), part);
  const { rows } = seriesCells({ node: [{ error: 'x' }] });
  assert.deepEqual(rows, [['node', '', 'could not do it']]);
});

test('the chart is a well-formed drawing of the medians, without wrong bytes', () => {
  const drawing = chart(record());
  assert.ok(drawing.startsWith('<svg') && drawing.trimEnd().endsWith('</svg>'));
  assert.ok(drawing.includes('ours:native') && drawing.includes('>25.0<'));
  assert.equal(chart(record({ results: {} })), undefined);
  const wrong = record();
  for (const run of wrong.results['bulk-raw'].ttyd) run.exact = false;
  assert.ok(!chart(wrong).includes('ttyd'));
});

test('records sort by time, and the page is filled between its markers only', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bench-records-'));
  try {
    assert.equal(latest(dir), undefined);
    write(dir, record({ date: '2026-11-22T10:00:00.000Z', commit: 'older' }));
    const { svg } = write(dir, record());
    writeFileSync(join(dir, 'note.txt'), '');
    assert.equal(latest(dir).commit, 'abc');
    const page = readFileSync(kPage, 'utf8');
    const report = pageReport(record(), svg);
    const once = filled(page, report);
    assert.ok(once.includes('| work | ours |') && once.includes('.svg)'));
    assert.equal(filled(once, report), once);
    assert.ok(once.startsWith(page.slice(0, page.indexOf('<!-- bench:begin'))));
    assert.throws(() => filled('no markers', report), /has no/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('the check compares ratios, never times, and finds a loss beyond the spread', () => {
  const slower = results();
  slower['bulk-raw']['ours:native'] = rounds(50, 52, 51);
  const rows = compared(record({ results: slower, lines: judge(slower) }), record());
  assert.ok(rows.find(({ id }) => id === 'bulk-ttyd').lost);
  assert.ok(compared(record(), record()).every((row) => !row.lost));
  const time = { id: 't', series: 's', unit: 'ms', goal: '≤ 1', better: 'less', absolute: true, figure: { low: 9, value: 9, high: 9, runs: 5 } };
  assert.deepEqual(compared(record({ lines: [time] }), record({ lines: [{ ...time, figure: { low: 1, value: 1, high: 1 } }] })), []);
});

test('one or two runs have no spread: the check does not judge them, and the table says so', () => {
  const once = results();
  once['bulk-raw'] = { 'ours:native': rounds(50), ttyd: rounds(50) };
  const now = record({ results: once, lines: judge(once) });
  const row = compared(now, record()).find(({ id }) => id === 'bulk-ttyd');
  assert.ok(row.few && !row.lost);
  assert.equal(goalCells(lineOf(now.lines, 'bulk-ttyd')).at(-1), 'missed, of 1 run');
});

test('unknown arguments are refused by name', () => {
  assert.throws(() => parse(['--fast']), UsageError);
  assert.throws(() => parse(['--peer=ttyd:relative']), /absolute path/);
  assert.deepEqual(parse(['--only=echo,bulk', '--peer=ttyd:/x/ttyd']).peers, { ttyd: '/x/ttyd' });
});

test('what a machine holds follows from what a session costs', () => {
  const cost = { service_kib: 20, holder_kib: 1, shell_kib: 100, kernel_kib: 79, cpu_per_gb: 5, cpu_per_key: 50e-6 };
  const held = capacity(cost, { cores: 64, memory_gib: 1, busy: 0.5, memory_used: 0.5 }, { keys_per_s: 2, bytes_per_s: 20_000 });
  assert.equal(held.bare_sessions, Math.floor(2 ** 19 / 200));
  assert.equal(held.full_sessions, Math.floor(2 ** 19 / 1224));
  assert.ok(Math.abs(held.cpu_per_user - (100e-6 + 100e-6)) < 1e-12);
  assert.equal(held.active_users, 160_000);
  assert.equal(held.gb_per_s, 6.4);
  assert.equal(scaleReport(record()), undefined, 'without all its figures there is no page');
});
