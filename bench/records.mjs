// What is kept of a run: a JSON and a chart in bench/results, the page docs/performance.md, and the
// comparison of a new run with the last record.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { chart } from './chart.mjs';
import { markdownReport, number } from './report.mjs';
import { lost } from './statistics.mjs';

const kBegin = '<!-- bench:begin, written by ./dev bench -->';
const kEnd = '<!-- bench:end -->';
/** Below it nobody knows the spread. */
const kEnoughRuns = 3;

/** The newest record of a directory, or undefined. Names begin with the time, so they sort. */
export function latest(dir) {
  let names = [];
  try {
    names = readdirSync(dir).filter((name) => name.endsWith('.json')).sort();
  } catch {
    // No directory, no record.
  }
  const name = names.at(-1);
  return name && { name, ...JSON.parse(readFileSync(join(dir, name), 'utf8')) };
}

/** Writes JSON and chart; gives their paths. */
export function write(dir, record) {
  mkdirSync(dir, { recursive: true });
  const name = `${record.date.slice(0, 16).replaceAll(':', '')}-${record.commit.replaceAll(' ', '-')}`;
  const paths = { json: join(dir, `${name}.json`) };
  writeFileSync(paths.json, `${JSON.stringify(record, null, 1)}\n`);
  const drawing = chart(record);
  if (drawing) {
    paths.svg = join(dir, `${name}.svg`);
    writeFileSync(paths.svg, drawing);
  }
  return paths;
}

/** The text with what is between its markers replaced by `report`. */
export function filled(text, report) {
  const begin = text.indexOf(kBegin);
  const end = text.indexOf(kEnd);
  if (begin < 0 || end < begin) throw new Error(`the page has no '${kBegin}' followed by '${kEnd}'`);
  return `${text.slice(0, begin + kBegin.length)}\n\n${report}\n\n${text.slice(end)}`;
}

/** What the page of performance says of a record whose chart is at `svg`. */
export function pageReport(record, svg) {
  return markdownReport(record, svg && `../bench/results/${basename(svg)}`);
}

const sameWork = (a, b, id) => {
  const args = (record) => record.series.find((series) => series.id === id)?.args?.join(' ');
  return args(a) === args(b);
};

/**
 * Lines of both runs that may be compared: ratios always; what is no ratio but no time either, only if
 * the same was done. Each with whether it lost beyond the spread of both.
 */
export function compared(now, before) {
  const rows = [];
  for (const line of now.lines) {
    const then = before.lines.find(({ id }) => id === line.id);
    if (!line.figure || !then?.figure || line.goal === '') continue;
    const timeless = /^(KiB|×)/.test(line.unit) && sameWork(now, before, line.series);
    if (line.absolute && !timeless) continue;
    const goal = line.better === 'more' ? { at_least: 0 } : { at_most: 0 };
    const few = Math.min(line.figure.runs, then.figure.runs) < kEnoughRuns;
    rows.push({ id: line.id, title: line.title, now: line.figure, before: then.figure, wrong: line.wrong, few, lost: line.wrong || (!few && lost(line.figure, then.figure, goal)) });
  }
  return rows;
}

export function comparisonCells(row) {
  const range = ({ value, low, high }) => `${number(value)} [${number(low)}-${number(high)}]`;
  return [row.id, row.title, range(row.before), range(row.now), row.wrong ? 'WRONG BYTES' : row.lost ? 'LOST' : row.few ? 'too few runs to tell' : 'kept'];
}
