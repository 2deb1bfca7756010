// The run in words and figures: GOALS.md's lines, then everything that was measured.
import { summary } from './statistics.mjs';

/** Three digits that mean something, thousands apart. */
export function number(value) {
  if (value === undefined || !Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  const digits = size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : 2;
  const text = value.toFixed(digits);
  return digits === 0 ? text.replace(/\B(?=(\d{3})+$)/g, ',') : text;
}

const withSpread = ({ median, spread_percent: spread, runs }) => (runs > 1 ? `${number(median)} ±${number(spread)} %` : number(median));
const range = ({ value, low, high, runs }) => (runs > 1 ? `${number(value)} [${number(low)}-${number(high)}]` : number(value));
const isLimit = (name) => name.startsWith('limit-');

/** The cells of a GOALS line: work, ours, peer, limit, ratio, goal, verdict. */
export function goalCells(line) {
  const ours = line.ours ? `${withSpread(line.ours)} ${line.unit}` : '-';
  const other = line.other ? `${line.other.contender} ${withSpread(line.other)}` : '';
  const limit = line.other && isLimit(line.other.contender);
  const figure = line.figure ? range(line.figure) : '-';
  const verdict = line.wrong ? `${line.verdict} (wrong bytes)` : line.missing ? `${line.verdict}: no ${line.missing}` : line.verdict;
  const few = line.figure?.runs < 3 && line.goal ? `, of ${line.figure.runs} run${line.figure.runs === 1 ? '' : 's'}` : '';
  return [line.title, ours, limit ? '' : other, limit ? other : '', line.absolute ? '' : figure, line.goal && line.absolute ? `${line.goal} ${line.unit.split(' ')[0]}` : line.goal, verdict + few];
}

export const kGoalHeads = ['work', 'ours', 'peer', 'limit', 'ratio', 'goal', ''];

/** Columns as wide as they must be; the last one free. */
export function table(heads, rows) {
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i].length)));
  const text = (cells) => cells.map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i]))).join('  ').trimEnd();
  return [text(heads), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(text)].join('\n');
}

export function markdownTable(heads, rows) {
  const text = (cells) => `| ${cells.join(' | ')} |`;
  return [text(heads), text(heads.map(() => '---')), ...rows.map(text)].join('\n');
}

const named = (...names) => names.map(([name, head]) => [(run) => run[name], head]);

/** What is worth a column, where an answer has it. */
const kFigures = [
  ...named(['mb_per_s', 'MB/s'], ['cpu_per_gb', 'CPU s/GB'], ['lost_bytes', 'bytes lost'], ['p50_us', 'p50 µs'], ['p99_us', 'p99 µs'], ['flood_mb_per_s', 'floods MB/s']),
  [(run) => (run.unit === 'per second' ? run.value : undefined), '/s'],
  [(run) => run.pss_kib?.per_session, 'KiB/session'],
  [(run) => run.pss_kib?.per_session_printed, 'after printing'],
  [(run) => run.work === 'paste' ? run.pss_kib?.peak_rss : undefined, 'peak KiB'],
  ...named(['cpu_percent', 'CPU %'], ['first_ms', 'ms to the first'], ['attached_p99_ms', 'p99 ms to all'], ['total_max_ms', 'ms for all'], ['pause_p99_ms', 'pause p99 ms'],
    ['baseline_p99_ms', 'without, p99 ms'], ['ratio_to_tcp', '× sending'], ['export_ratio', 'export × base64'], ['restore_ratio', 'restore × base64'],
    ['memory_ratio', 'memory × bytes'], ['service_fds_attached', 'descriptors'], ['holder_fds', 'in the holder'], ['service_kib_detached', 'KiB'],
    ['service_kib_attached', 'KiB attached'], ['holder_kib', 'KiB of the holder'], ['shell_kib', 'KiB of the shell'], ['kernel_kib', 'KiB of the kernel']),
];

/** Of one series: a row for each contender, a column for each figure that anybody has. */
export function seriesCells(runsOf) {
  const names = Object.keys(runsOf);
  const good = (name) => runsOf[name].filter((run) => run.error === undefined);
  const columns = kFigures.filter(([pick]) => names.some((name) => good(name).some((run) => Number.isFinite(pick(run)))));
  const fallback = columns.length === 0;
  const rows = names.map((name) => {
    const runs = good(name);
    const cells = columns.map(([pick]) => {
      const values = runs.map(pick).filter(Number.isFinite);
      return values.length ? withSpread(summary(values)) : '';
    });
    if (fallback) cells.push(runs.length ? `${withSpread(summary(runs.map((run) => run.value)))} ${runs[0].unit}` : '');
    const failed = runsOf[name].length - runs.length;
    const wrong = runs.filter((run) => run.exact === false).length;
    const remark = failed === runsOf[name].length ? 'could not do it' : failed ? `${failed} of ${runsOf[name].length} failed` : wrong ? 'WRONG BYTES' : '';
    return [name, ...cells, remark];
  });
  return { heads: ['', ...(fallback ? ['value'] : columns.map(([, unit]) => unit)), ''], rows };
}

/** Records before it was counted do not say. */
const stolen = ({ stolen_percent: percent }) => (percent === undefined ? '' : `, ${percent} % of its time stolen by the hypervisor in the run`);

export function heading(record) {
  const { machine: m } = record;
  return [
    `${record.date.slice(0, 16).replace('T', ' ')} UTC, ${record.quick ? 'quick run, ' : ''}commit ${record.commit}, ${record.version}`,
    `${m.cpu}, ${m.cores} cores, ${m.memory_gib} GiB, ${m.system}, Linux ${m.kernel}; load before ${m.load_before}${stolen(m)}`,
    ...Object.entries(record.peers).map(([name, version]) => `${name}: ${version}`),
  ];
}

const how = ({ args, rounds }) => [...args, rounds === 1 ? 'once' : `${rounds} rounds`].join(', ');

/** Met, missed, undecided and not measured, in numbers. */
export function totals(lines) {
  const count = (verdict) => lines.filter((line) => line.verdict === verdict).length;
  return `${count('met')} met, ${count('missed')} missed, ${count('within spread')} within spread, ${count('not measured')} not measured`;
}

export function terminalReport(record) {
  const parts = [heading(record).join('\n'), table(kGoalHeads, record.lines.map(goalCells)), totals(record.lines)];
  for (const series of record.series) {
    const { id, title } = series;
    const { heads, rows } = seriesCells(record.results[id]);
    parts.push(`${id}: ${title}; ${how(series)}\n${table(heads, rows)}`);
  }
  if (record.notes.length) parts.push(`Notes\n${record.notes.map((note) => `- ${note}`).join('\n')}`);
  return parts.join('\n\n');
}

export function markdownReport(record, chart) {
  const escape = (cells) => cells.map((cell) => cell.replaceAll('|', '\\|'));
  const parts = [heading(record).map((line) => `- ${line}`).join('\n')];
  if (chart) parts.push(`![Ours beside the peers](${chart})`);
  parts.push(markdownTable(kGoalHeads, record.lines.map(goalCells).map(escape)), `${totals(record.lines)}.`);
  for (const series of record.series) {
    const { id, title } = series;
    const { heads, rows } = seriesCells(record.results[id]);
    parts.push(`### ${title[0].toUpperCase()}${title.slice(1)} (\`${id}\`)`, how(series), markdownTable(heads, rows.map(escape)));
  }
  if (record.notes.length) parts.push('### Notes', record.notes.map((note) => `- ${note}`).join('\n'));
  return parts.join('\n\n');
}
