// Where and with what a run was made: a figure without it means nothing.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

function first(file, pattern) {
  try {
    return pattern.exec(readFileSync(file, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

function output(file, args, options) {
  const { status, stdout } = spawnSync(file, args, { encoding: 'utf8', ...options });
  return status === 0 ? stdout.trim() : undefined;
}

export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: first('/etc/os-release', /^PRETTY_NAME="?([^"\n]*)/m) ?? 'unknown',
    load_before: Number(loadavg()[0].toFixed(2)),
  };
}

export function commit(root) {
  const id = output('git', ['-C', root, 'rev-parse', '--short=12', 'HEAD']);
  if (id === undefined) return 'unknown';
  const changed = output('git', ['-C', root, 'status', '--porcelain', '--', 'src', 'bench', 'CMakeLists.txt']);
  return changed ? `${id} with changes` : id;
}

export function ourVersion(binaries) {
  return output(join(binaries, 'terminal-service'), ['--version']) ?? 'unknown';
}

/** Why this machine cannot do a series, or undefined. The kernel's settings are the user's to change. */
export function unable({ ptys = 0 }) {
  const most = Number(first('/proc/sys/kernel/pty/max', /(\d+)/));
  const used = Number(first('/proc/sys/kernel/pty/nr', /(\d+)/));
  if (most - used >= ptys) return undefined;
  return `it needs ${ptys} PTYs and kernel.pty.max is ${most}; as root: sysctl -w kernel.pty.max=${ptys + used + 1000}`;
}

/** Jiffies since the start of the machine: all, those in which something ran, and those that the hypervisor gave to others. */
function jiffies() {
  const fields = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))[1].split(' ').map(Number);
  const all = fields.slice(0, 8).reduce((sum, value) => sum + value, 0);
  return { all, busy: all - fields[3] - fields[4], stolen: fields[7] };
}

/** A function that tells how much of the processors' time the hypervisor has given to others from now on, in percent. */
export function stolenFromNow() {
  const before = jiffies();
  return () => {
    const after = jiffies();
    return Number((((after.stolen - before.stolen) / Math.max(after.all - before.all, 1)) * 100).toFixed(1));
  };
}

/** What would spoil a run, in words; nothing where the machine is quiet. Looks for two seconds. */
export async function disturbances() {
  const before = jiffies();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const after = jiffies();
  const busy = ((after.busy - before.busy) / (after.all - before.all)) * 100;
  const found = [];
  if (busy > 5) found.push(`something else used ${busy.toFixed(0)} % of the processors before the run began; its times are worth little`);
  const governor = first('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', /(\S+)/);
  if (governor && governor !== 'performance') found.push(`the processors' governor is ${governor}`);
  return found;
}
