// The chart: a panel for each figure of GOALS.md that has peers, a bar for each contender with its
// interval, the limit as a line. Plain SVG, legible in light and dark.
import { interval, median } from './statistics.mjs';
import { number } from './report.mjs';

const kPanels = [
  { series: 'bulk-raw', field: 'mb_per_s', title: 'Bulk output, raw PTY, MB/s', better: 'more' },
  { series: 'bulk-cooked', field: 'mb_per_s', title: 'Bulk output, cooked PTY, MB/s', better: 'more' },
  { series: 'bulk-raw', field: 'cpu_per_gb', title: 'Server CPU seconds per GB', better: 'less' },
  { series: 'echo', field: 'p50_us', title: 'Echo, p50, µs', better: 'less' },
  { series: 'echo-1', field: 'p99_us', title: 'Echo beside a flood, p99, µs', better: 'less' },
  { series: 'echo-8', field: 'p99_us', title: 'Echo beside 8 floods, p99, µs', better: 'less' },
  { series: 'idle', field: 'value', title: 'Memory per idle attached session, KiB', better: 'less' },
  { series: 'create', field: 'value', title: 'Sessions created per second', better: 'more' },
];

const kWidth = 460;
const kNameWidth = 130;
const kBarWidth = 240;
const kRow = 20;
const kHead = 34;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A pipe is no terminal; its bar would only make the others short. */
const kNoTerminal = ['websocketd'];

function bars(results, { series, field }) {
  return Object.entries(results[series] ?? {}).map(([name, runs]) => {
    if (kNoTerminal.includes(name)) return undefined;
    const values = runs.filter((run) => run.error === undefined && run.exact !== false).map((run) => run[field]).filter(Number.isFinite);
    return values.length ? { name, value: median(values), range: interval(values) } : undefined;
  }).filter(Boolean);
}

function colour(name) {
  if (name.startsWith('limit-')) return '#8a8f98';
  return name.startsWith('ours') ? '#2f6fde' : '#d98324';
}

function panel(spec, shown, x, y) {
  const most = Math.max(...shown.map(({ range: [, high] }) => high));
  const scale = (value) => (value / most) * kBarWidth;
  const rows = shown.map(({ name, value, range: [low, high] }, i) => {
    const top = kHead + i * kRow;
    const middle = top + 7;
    return `<text x="${kNameWidth - 6}" y="${top + 11}" text-anchor="end">${escape(name)}</text>
<rect x="${kNameWidth}" y="${top}" width="${scale(value).toFixed(1)}" height="14" fill="${colour(name)}"/>
<path d="M${(kNameWidth + scale(low)).toFixed(1)} ${middle}H${(kNameWidth + scale(high)).toFixed(1)}" stroke="#808080" stroke-width="2"/>
<text x="${kNameWidth + kBarWidth + 8}" y="${top + 11}">${number(value)}</text>`;
  });
  return `<g transform="translate(${x} ${y})">
<text x="8" y="20" class="title">${escape(spec.title)} <tspan class="note">(${spec.better} is better)</tspan></text>
${rows.join('\n')}
</g>`;
}

/** The whole chart, two panels in a row; undefined if nothing that it shows was measured. */
export function chart(record) {
  const panels = kPanels.map((spec) => ({ spec, shown: bars(record.results, spec) })).filter(({ shown }) => shown.length > 1);
  if (panels.length === 0) return undefined;
  const columns = [0, 0];
  const drawn = panels.map(({ spec, shown }) => {
    const column = columns[0] <= columns[1] ? 0 : 1;
    const y = columns[column];
    columns[column] += kHead + shown.length * kRow + 14;
    return panel(spec, shown, column * kWidth, y);
  });
  const height = Math.max(...columns) + 24;
  const foot = `${record.date.slice(0, 10)}, commit ${record.commit}, ${record.machine.cpu}, ${record.machine.cores} cores; bars: medians, lines: their spread`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * kWidth} ${height}" role="img" aria-label="terminal-service beside its peers">
<style>text{font:11px sans-serif;fill:#4d5560}.title{font-weight:bold;font-size:12px}.note{font-weight:normal}@media(prefers-color-scheme:dark){text{fill:#c3c9d2}}</style>
${drawn.join('\n')}
<text x="8" y="${height - 8}">${escape(foot)}</text>
</svg>
`;
}
