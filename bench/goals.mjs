// GOALS.md 1 as data: every line is one figure of ours against one other figure of the same run, or a
// figure that is judged as it is, and what it has to be.
import { absolute, ratio, summary, verdict } from './statistics.mjs';

const mbPerS = { pick: (r) => r.mb_per_s, unit: 'MB/s' };
const cpuPerGb = { pick: (r) => r.cpu_per_gb, unit: 'CPU s/GB' };
const cpu = { pick: (r) => r.cpu_seconds, unit: 'CPU s' };
const p50 = { pick: (r) => r.p50_us, unit: 'µs p50' };
const p99 = { pick: (r) => r.p99_us, unit: 'µs p99' };
const p99ms = { pick: (r) => r.p99_us && r.p99_us / 1000, unit: 'ms p99' };
const field = (name, unit) => ({ pick: (r) => r[name], unit });
const kibPerSession = { pick: (r) => r.pss_kib?.per_session, unit: 'KiB' };

/**
 * `against`: a contender of the same series, or {series, contender} of another one, there perhaps with a
 * pick of its own; without it the figure itself is judged. Without at_least or at_most it is only shown.
 */
export const kLines = [
  { id: 'client', title: 'the client against its blaster, to the fastest server', series: 'frames', ours: 'client', ...mbPerS,
    against: { series: 'bulk-raw', contender: 'ours:native' }, at_least: 1, strictly: true },

  { id: 'bulk-ttyd', title: 'bulk output, raw PTY, native', series: 'bulk-raw', ours: 'ours:native', ...mbPerS, against: 'ttyd', at_least: 2.5 },
  { id: 'bulk-node', title: 'bulk output, raw PTY, native', series: 'bulk-raw', ours: 'ours:native', ...mbPerS, against: 'node', at_least: 3 },
  { id: 'bulk-limit', title: 'bulk output, raw PTY, native', series: 'bulk-raw', ours: 'ours:native', ...mbPerS, against: 'limit-pty-tcp', at_least: 0.95 },
  { id: 'bulk-raw-ttyd', title: 'bulk output, raw PTY, raw dialect', series: 'bulk-raw', ours: 'ours:raw', ...mbPerS, against: 'ttyd', at_least: 2.5 },
  { id: 'bulk-raw-node', title: 'bulk output, raw PTY, raw dialect', series: 'bulk-raw', ours: 'ours:raw', ...mbPerS, against: 'node', at_least: 3 },
  { id: 'bulk-raw-limit', title: 'bulk output, raw PTY, raw dialect', series: 'bulk-raw', ours: 'ours:raw', ...mbPerS, against: 'limit-pty-tcp', at_least: 0.95 },
  { id: 'bulk-legacy-node', title: 'bulk output, legacy JSON dialect', series: 'bulk-raw', ours: 'ours:legacy', ...mbPerS, against: 'node', at_least: 1.5 },

  { id: 'cpu-ttyd', title: 'server CPU per GB, native', series: 'bulk-raw', ours: 'ours:native', ...cpuPerGb, against: 'ttyd', at_most: 0.35 },
  { id: 'cpu-node', title: 'server CPU per GB, native', series: 'bulk-raw', ours: 'ours:native', ...cpuPerGb, against: 'node', at_most: 0.2 },

  { id: 'echo-limit', title: 'echo alone', series: 'echo', ours: 'ours:native', ...p50, against: 'limit-both-echo', at_most: 1.25 },
  { id: 'echo-ttyd', title: 'echo alone', series: 'echo', ours: 'ours:native', ...p50, against: 'ttyd', at_most: 1, strictly: true },
  { id: 'echo-node', title: 'echo alone', series: 'echo', ours: 'ours:native', ...p50, against: 'node', at_most: 1, strictly: true },
  { id: 'echo-1-ttyd', title: 'echo beside a flood', series: 'echo-1', ours: 'ours:native', ...p99, against: 'ttyd', at_most: 1, strictly: true },
  { id: 'echo-1-alone', title: 'echo beside a flood, to alone', series: 'echo-1', ours: 'ours:native', ...p50, against: { series: 'echo', contender: 'ours:native' }, at_most: 2 },
  { id: 'echo-8-ttyd', title: 'echo beside 8 floods', series: 'echo-8', ours: 'ours:native', ...p99, against: 'ttyd', at_most: 1, strictly: true },
  { id: 'echo-8-alone', title: 'echo beside 8 floods, to alone', series: 'echo-8', ours: 'ours:native', ...p50, against: { series: 'echo', contender: 'ours:native' }, at_most: 2 },

  { id: 'interrupt', title: 'Ctrl-C under yes to silence', series: 'interrupt', ours: 'ours:native', ...p99ms, at_most: 100 },

  { id: 'idle-memory', title: 'memory per idle attached session', series: 'idle', ours: 'ours:native', ...kibPerSession, at_most: 12 },
  { id: 'idle-ttyd', title: 'memory per idle attached session', series: 'idle', ours: 'ours:native', ...kibPerSession, against: 'ttyd' },
  { id: 'idle-node', title: 'memory per idle attached session', series: 'idle', ours: 'ours:native', ...kibPerSession, against: 'node' },
  { id: 'idle-linear', title: 'the same with 1,000, to 100', series: 'idle-1000', ours: 'ours:native', ...kibPerSession, against: { series: 'idle', contender: 'ours:native' }, at_most: 1.1 },
  { id: 'idle-10000', title: 'the same with 10,000, 1,000 attached, to 1,000', series: 'idle-10000', ours: 'ours:native', ...kibPerSession, against: { series: 'idle-1000', contender: 'ours:native' }, at_most: 1.1 },
  { id: 'idle-cpu', title: 'CPU with 10,000 idle sessions', series: 'idle-10000', ours: 'ours:native', ...field('cpu_percent', '%'), at_most: 1, strictly: true },

  { id: 'create-rate', title: 'sessions created per second', series: 'create', ours: 'ours:native', ...field('value', '/s'), against: 'node', at_least: 2 },
  { id: 'create-first', title: 'first byte of a new session', series: 'create', ours: 'ours:native', ...p99, against: 'node', at_most: 0.5 },
  { id: 'create-flat', title: 'first byte of the last tenth of 3,000, to the first tenth', series: 'create-3000', ours: 'ours:native',
    pick: (r) => r.last_tenth_p50_us / r.first_tenth_p50_us, unit: '× the first', at_most: 1.25 },

  { id: 'attach', title: 'attach with 1 MiB of scrollback, to sending it', series: 'attach', ours: 'ours:native', ...field('ratio_to_tcp', '× sending'), at_most: 2 },

  { id: 'ports-bulk', title: 'what the ports add, to a turn of bulk output', series: 'ports', ours: 'client', pick: (r) => r.extra_us, unit: 'µs',
    against: { series: 'bulk-raw', contender: 'ours:native', pick: (r) => r.cpu_per_gb * 65.536 }, at_most: 0.02 },
  { id: 'ports-echo', title: 'what the ports add, to an echo', series: 'ports', ours: 'client', pick: (r) => r.extra_key_us, unit: 'µs',
    against: { series: 'echo', contender: 'ours:native', pick: (r) => r.p50_us }, at_most: 0.02 },
  { id: 'flip-all', title: 'flip of all live, printing sessions', series: 'flip', ours: 'ours:native', ...field('total_max_ms', 'ms'), at_most: 250 },
  { id: 'flip-one', title: 'pause of one session in a flip', series: 'flip', ours: 'ours:native', ...field('pause_p99_ms', 'ms p99'), at_most: 5 },
  { id: 'handover', title: 'pause of a WebSocket in a hand-over', series: 'handover', ours: 'ours:native', ...field('pause_p99_ms', 'ms p99'), at_most: 250 },
  { id: 'recovery', title: 'serving again after kill -9', series: 'recovery', ours: 'ours:native', ...field('first_ms', 'ms'), at_most: 500 },

  { id: 'export', title: 'export, to base64 into a file', series: 'state', ours: 'ours:native', ...field('export_ratio', '× base64'), at_least: 0.5 },
  { id: 'restore', title: 'restore, to base64 into a file', series: 'state', ours: 'ours:native', ...field('restore_ratio', '× base64'), at_least: 0.5 },
  { id: 'export-memory', title: 'memory that an export and a restore take, to what they carry', series: 'state', ours: 'ours:native', ...field('memory_ratio', '× bytes'), at_most: 0.25 },

  { id: 'refactor-cpu', title: 'many sessions printing: refactored to legacy engine', series: 'hundred', ours: 'ours:native', ...cpu, against: 'ours@legacy:native', at_most: 0.4 },
  { id: 'refactor-memory', title: 'memory per idle session: refactored to legacy engine', series: 'idle', ours: 'ours:native', ...kibPerSession, against: 'ours@legacy:native', at_most: 0.5 },
  { id: 'shards', title: 'four printing sessions: 2 shards to 1', series: 'shards', ours: 'ours@shards2:native', ...mbPerS, against: 'ours@shards1:native', at_least: 1.8 },
  { id: 'shards-cpu', title: 'their CPU per GB, which cores of their own would turn into 0.9 N', series: 'shards', ours: 'ours@shards2:native', ...cpuPerGb, against: 'ours@shards1:native', at_most: 1.11 },
];

/** The picked figure of each round; undefined where it was not measured. */
function figures(results, series, contender, pick) {
  return results[series]?.[contender]?.map((run) => (run.error === undefined ? pick(run) : undefined));
}

function judged(line, results) {
  const ours = figures(results, line.series, line.ours, line.pick);
  if (!ours?.some((value) => value !== undefined)) return { missing: line.ours };
  const shown = summary(ours.filter((value) => value !== undefined));
  const wrong = results[line.series][line.ours].some((run) => run.exact === false);
  if (line.against === undefined) return { ours: shown, figure: absolute(ours.filter((v) => v !== undefined)), wrong };

  const { series, contender, pick = line.pick } = line.against.series ? line.against : { series: line.series, contender: line.against };
  const theirs = figures(results, series, contender, pick);
  if (!theirs?.some((value) => value !== undefined)) return { ours: shown, missing: contender };
  const other = summary(theirs.filter((value) => value !== undefined));
  // Rounds of two series are no neighbours; each series' own spread is what there is.
  const figure = series === line.series ? ratio(ours, theirs)
    : { value: shown.median / other.median, low: shown.low / other.high, high: shown.high / other.low, runs: Math.min(shown.runs, other.runs) };
  return { ours: shown, other: { ...other, contender, series }, figure, wrong };
}

export function goalText(line) {
  if (line.at_least !== undefined) return `${line.strictly ? '>' : '≥'} ${line.at_least}`;
  if (line.at_most !== undefined) return `${line.strictly ? '<' : '≤'} ${line.at_most}`;
  return '';
}

/**
 * Every line whose series was in this run, with its figure and verdict: met, missed, within spread, or
 * not measured (and then what was missing). Wrong bytes are a miss, however fast they came.
 */
export function judge(results, lines = kLines) {
  return lines.filter((line) => results[line.series] !== undefined).map((line) => {
    const outcome = judged(line, results);
    const goal = goalText(line);
    const { id, title, unit, series } = line;
    if (outcome.figure === undefined) return { id, series, title, unit, goal, ...outcome, verdict: 'not measured' };
    const decided = goal === '' ? '' : outcome.wrong ? 'missed' : verdict(outcome.figure, line);
    return { id, series, title, unit, goal, better: line.at_least !== undefined ? 'more' : 'less', absolute: line.against === undefined, ...outcome, verdict: decided };
  });
}
