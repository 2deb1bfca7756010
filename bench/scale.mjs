// docs/scale.md's figures: what a session costs, by the bench line that says so, and what follows for a
// large machine. Nothing here is measured, and nothing is assumed that is not written out.
import { median } from './statistics.mjs';
import { markdownTable, number } from './report.mjs';

/** The machine that the page is about. */
export const kMachine = { cores: 64, memory_gib: 256, busy: 0.5, memory_used: 0.8 };
/** What one of its users does while attached: keys a second, and bytes a second that are printed. */
export const kUser = { keys_per_s: 2, bytes_per_s: 20_000 };

const kOurs = 'ours:native';

function figure(record, series, field) {
  const values = (record.results[series]?.[kOurs] ?? []).filter((run) => run.error === undefined).map((run) => run[field]).filter(Number.isFinite);
  return values.length ? median(values) : undefined;
}

function costs(record) {
  const of = (series, field) => figure(record, series, field);
  const runs = record.results.echo?.[kOurs]?.filter((run) => run.cpu_seconds > 0 && run.count > 0) ?? [];
  return {
    service_kib: of('footprint', 'service_kib_detached'),
    attached_kib: of('footprint', 'service_kib_attached'),
    holder_kib: of('footprint', 'holder_kib'),
    shell_kib: of('footprint', 'shell_kib'),
    kernel_kib: of('footprint', 'kernel_kib'),
    service_fds: of('footprint', 'service_fds_detached'),
    attached_fds: of('footprint', 'service_fds_attached'),
    holder_fds: of('footprint', 'holder_fds'),
    cpu_per_gb: of('bulk-raw', 'cpu_per_gb'),
    cpu_per_key: runs.length ? median(runs.map((run) => run.cpu_seconds / run.count)) : undefined,
    create_per_s: of('create', 'value'),
    recovery_ms: of('recovery', 'first_ms'),
    recovery_sessions: of('recovery', 'sessions'),
  };
}

const kRingKib = 1024;

/** What one machine holds; undefined where a cost was not measured in this run. */
export function capacity(cost, machine = kMachine, user = kUser) {
  const memory_kib = machine.memory_gib * 2 ** 20 * machine.memory_used;
  const bare_kib = cost.service_kib + cost.holder_kib + cost.shell_kib + cost.kernel_kib;
  const cpu_per_user = user.keys_per_s * cost.cpu_per_key + (user.bytes_per_s / 1e9) * cost.cpu_per_gb;
  return {
    bare_kib, full_kib: bare_kib + kRingKib, cpu_per_user,
    bare_sessions: Math.floor(memory_kib / bare_kib),
    full_sessions: Math.floor(memory_kib / (bare_kib + kRingKib)),
    active_users: Math.floor((machine.cores * machine.busy) / cpu_per_user),
    gb_per_s: (machine.cores * machine.busy) / cost.cpu_per_gb,
  };
}

function costRows(cost) {
  const kib = (value) => `${number(value)} KiB`;
  return [
    ['memory of the service, detached', kib(cost.service_kib), '`footprint`, KiB'],
    ['the same, attached', kib(cost.attached_kib), '`footprint`, KiB attached'],
    ['memory of the holder', kib(cost.holder_kib), '`footprint`, KiB of the holder'],
    ['memory of a `/bin/sh` at its prompt', kib(cost.shell_kib), '`footprint`, KiB of the shell'],
    ['memory of the kernel: process, PTY', kib(cost.kernel_kib), '`footprint`, KiB of the kernel'],
    ['output kept, once it has printed that much', kib(kRingKib), '`TERMINAL_RING_BYTES`, 1 MiB'],
    ['descriptors of the service, detached and attached', `${number(cost.service_fds)} and ${number(cost.attached_fds)}`, '`footprint`'],
    ['descriptors of the holder', number(cost.holder_fds), '`footprint`, in the holder'],
    ['a PTY, and a process with what runs in it', '1 and 1 or more', 'a shell'],
    ['CPU for a GB of output', `${number(cost.cpu_per_gb)} s`, '`bulk-raw`, CPU s/GB'],
    ['CPU for a key and its echo', `${number(cost.cpu_per_key * 1e6)} µs`, '`echo`, CPU by count'],
    ['creation', `${number(cost.create_per_s)} a second, one after another`, '`create`, /s'],
    [`serving again after kill -9, with ${number(cost.recovery_sessions)} sessions`, `${number(cost.recovery_ms)} ms`, '`recovery`, ms to the first'],
  ];
}

function holdRows(cost, held) {
  const { cores, memory_gib, busy, memory_used } = kMachine;
  const share = `${memory_used * 100} % of ${memory_gib} GiB`;
  const half = `${busy * 100} % of ${cores} cores`;
  return [
    ['shells at their prompts', number(held.bare_sessions), `${share}, ${number(held.bare_kib)} KiB each`],
    ['shells with full rings', number(held.full_sessions), `${share}, ${number(held.full_kib)} KiB each`],
    [`attached users who type ${kUser.keys_per_s} keys and print ${number(kUser.bytes_per_s / 1000)} kB a second`, number(held.active_users), `${half}, ${number(held.cpu_per_user * 1e6)} µs a second each`],
    ['output of all sessions', `${number(held.gb_per_s)} GB/s`, `${half}, ${number(cost.cpu_per_gb)} CPU s/GB`],
  ];
}

/** The two tables, or undefined if this run did not measure all that they need. */
export function scaleReport(record) {
  const cost = costs(record);
  if (Object.values(cost).some((value) => value === undefined)) return undefined;
  const from = `From the run of ${record.date.slice(0, 10)}, commit ${record.commit}, on ${record.machine.cpu}, ${record.machine.cores} cores.`;
  return [
    from,
    markdownTable(['a session costs', '', 'bench line'], costRows(cost)),
    `So one machine of ${kMachine.cores} cores and ${kMachine.memory_gib} GiB holds, if nothing else limits it:`,
    markdownTable(['', 'at most', 'because'], holdRows(cost, capacity(cost))),
  ].join('\n\n');
}
