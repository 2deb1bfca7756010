// What a session costs of everything that a machine has only so much of: descriptors, threads, memory
// of our processes, of the shell, and of the kernel. The figures of docs/scale.md.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { until } from '../tests/support/waiting.mjs';
import { open, option } from './viewer.mjs';

const field = (text, name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
const pssKib = (pid) => field(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss');
const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;

/**
 * What the kernel has for itself and cannot take back: slabs, page tables, and what it maps, its stacks
 * among it (CONFIG_VMAP_STACK). Source: Documentation/filesystems/proc.rst, meminfo. Not MemAvailable,
 * which caches and free lists move by more than a shell has.
 */
function kernelKib() {
  const text = readFileSync('/proc/meminfo', 'utf8');
  return ['SUnreclaim', 'PageTables', 'VmallocUsed'].reduce((sum, name) => sum + field(text, name), 0);
}

function counts(server) {
  const { pid, holder_pid } = server.info();
  return {
    service_fds: descriptors(pid), holder_fds: descriptors(holder_pid), service_kib: pssKib(pid), holder_kib: pssKib(holder_pid),
    threads: field(readFileSync(`/proc/${pid}/status`, 'utf8'), 'Threads'), kernel_kib: kernelKib(),
  };
}

function shellsOf(holder) {
  return readFileSync(`/proc/${holder}/task/${holder}/children`, 'utf8').trim().split(' ').filter(Boolean);
}

/** By session: what `after` has more than `before`. */
function each(after, before, sessions, names) {
  return Object.fromEntries(names.map((name) => [name, (after[name] - before[name]) / sessions]));
}

/**
 * `sessions` shells at their first prompt: first attached, then with their viewers gone.
 */
export async function footprint(place, series, server) {
  const sessions = option(series, 'sessions', 500);
  // What the first session costs is not what each costs.
  const [first] = await open(server.url, 1, undefined, 'first');
  const before = counts(server);
  const viewers = await open(server.url, sessions, (viewer, i) => until(() => viewer.seen.length > 0, `the prompt of session ${i}`));
  const attached = counts(server);
  for (const viewer of [...viewers, first]) viewer.close();
  await until(() => descriptors(server.info().pid) <= attached.service_fds - sessions - 1, 'the end of the connections');
  const detached = counts(server);

  const shells = shellsOf(server.info().holder_pid);
  const shell_kib = shells.reduce((sum, pid) => sum + pssKib(pid), 0) / shells.length;
  const names = ['service_fds', 'holder_fds', 'service_kib', 'holder_kib', 'kernel_kib'];
  const alone = each({ ...detached, service_fds: detached.service_fds + 1 }, before, sessions, names); // the first one's socket
  const watched = each(attached, before, sessions, names);
  const kept = shells.filter((pid) => readlinkSync(`/proc/${pid}/fd/0`).startsWith('/dev/pts/')).length;
  return {
    work: 'footprint', dialect: 'native', value: watched.service_fds + watched.holder_fds, unit: 'descriptors', count: sessions,
    exact: kept === sessions + 1, ...(kept === sessions + 1 ? {} : { wrong: `${kept} of ${sessions + 1} shells have a PTY` }),
    service_fds_detached: alone.service_fds, service_fds_attached: watched.service_fds, holder_fds: alone.holder_fds,
    service_kib_detached: alone.service_kib, service_kib_attached: watched.service_kib, holder_kib: alone.holder_kib,
    service_fds_fixed: before.service_fds, holder_fds_fixed: before.holder_fds, service_kib_fixed: before.service_kib,
    holder_kib_fixed: before.holder_kib, threads: attached.threads, shell_kib, kernel_kib: alone.kernel_kib,
  };
}
