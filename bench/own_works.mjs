// Works that are about files and counts rather than bytes per second: export and restore, footprint.
// Ours only. The same shape of answer as bench-load's.
import { spawnSync } from 'node:child_process';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { footprint } from './footprint.mjs';
import { Ours } from './servers.mjs';
import { until } from '../tests/support/waiting.mjs';
import { open, option } from './viewer.mjs';

function statusKib(pid, name) {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Seconds that `work` took, CPU seconds of the process `pid` meanwhile, and by how many bytes it grew beyond what it had. */
async function watched(pid, work) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5'); // the high-water mark starts anew
  const rss = statusKib(pid, 'VmRSS');
  const cpu = cpuSeconds(pid);
  const start = performance.now();
  await work();
  return { seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(pid) - cpu, grown: (statusKib(pid, 'VmHWM') - rss) * 1024 };
}

function ctl(server, args) {
  return new Promise((resolve, reject) => {
    const child = server.ctl(args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`terminal-ctl ${args.join(' ')}: ${code}: ${stderr.trim()}`))));
  });
}

/** Every session's output in the document is what the session printed last. */
function wrongOutput(document, printed) {
  for (const { id, output } of document.sessions) {
    const data = Buffer.from(output.data, 'base64');
    if (data.length < 256 * 1024) return `${id} has only ${data.length} bytes in the document`;
    if (!printed.endsWith(data.toString('latin1').trimEnd())) return `the output of ${id} is not what was printed`;
  }
  return undefined;
}

/**
 * Export of `sessions` full rings into a file and restore of it into an empty service, both against
 * base64 of as many bytes into a file beside it. Restoring stores the newest 256 KiB of each.
 */
async function state(place, series, server) {
  const sessions = option(series, 'sessions', 16);
  const last = 'seq -w 1 200000';
  const printed = spawnSync('/bin/sh', ['-c', last], { maxBuffer: 2 ** 24 }).stdout.toString('latin1').trimEnd().replaceAll('\n', '\r\n');
  const viewers = await open(server.url, sessions, async (viewer) => {
    viewer.type(`PS1=; ${last}\n`);
    await until(() => viewer.seen.endsWith('200000\r\n'), 'the end of the printing');
    viewer.seen = '';
  });
  for (const viewer of viewers) viewer.close();

  const file = join(server.dir, 'export.json');
  const out = await watched(server.info().pid, () => ctl(server, ['state', 'export', '--live', '-o', file]));
  const document = JSON.parse(readFileSync(file, 'utf8'));
  const bytes = document.counts.bytes;
  const wrong = document.counts.sessions !== sessions ? `${document.counts.sessions} of ${sessions} sessions` : wrongOutput(document, printed);

  const other = await Ours.start(place);
  let back;
  try {
    back = await watched(other.info().pid, () => ctl(other, ['state', 'restore', file]));
  } finally {
    await other.stop();
  }
  const plain = await base64Seconds(server.dir, bytes);
  return {
    work: 'state', dialect: 'native', value: plain / out.seconds, unit: '× base64', exact: wrong === undefined, ...(wrong ? { wrong } : {}),
    bytes, export_cpu_seconds: out.cpu, restore_cpu_seconds: back.cpu, export_seconds: out.seconds, restore_seconds: back.seconds, base64_seconds: plain, export_ratio: plain / out.seconds,
    export_grown: out.grown, restore_grown: back.grown,
    restore_ratio: plain / back.seconds, memory_ratio: Math.max(out.grown, back.grown) / bytes, count: sessions,
  };
}

/** The limit: coreutils' base64 from a file into a file of the same file system. */
async function base64Seconds(dir, bytes) {
  const raw = join(dir, 'raw');
  writeFileSync(raw, Buffer.alloc(bytes, 'terminal output, as it comes\r\n'));
  await new Promise((resolve) => createReadStream(raw).on('close', resolve).resume()); // in the page cache, as rings are in memory
  const start = performance.now();
  const { status, stderr } = spawnSync('/bin/sh', ['-c', `base64 -w 0 raw > coded`], { cwd: dir, encoding: 'utf8' });
  if (status !== 0) throw new Error(`base64: ${stderr}`);
  return (performance.now() - start) / 1000;
}

/**
 * What the three ports cost a turn: bench-micro's turn through them less the same turn on the engine
 * called directly, for a full turn and for one of a single byte.
 */
async function ports(place) {
  const { status, stdout, stderr, error } = spawnSync(join(place.binaries, 'bench-micro'),
    ['--benchmark_filter=^turn_', '--benchmark_format=json', '--benchmark_min_time=0.3'], { env: place.environment(), encoding: 'utf8' });
  if (status !== 0) throw new Error(`bench-micro: ${error?.message ?? stderr.trim()}`);
  const { benchmarks } = JSON.parse(stdout);
  const us = (name) => {
    const found = benchmarks.find((one) => one.name === name);
    if (found?.time_unit !== 'ns') throw new Error(`bench-micro has no ${name} in ns`);
    return found.cpu_time / 1000;
  };
  const extra = (bytes) => us(`turn_through_ports/refactored/${bytes}`) - us(`turn_called_directly/${bytes}`);
  return { work: 'ports', value: extra(65536) * 1000, unit: 'ns', extra_us: extra(65536), extra_key_us: extra(1), exact: true };
}

export const kOwnWorks = { state, footprint, ports };
