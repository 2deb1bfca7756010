// Waiting on conditions, for everything here that runs programs.
import { readFileSync } from 'node:fs';

/** More for runs by hand on a machine that is busy. */
const kDeadlineMs = Number(process.env.TERMINAL_TEST_DEADLINE_MS ?? 30_000);

/** Waits until `check` gives something true, and gives that; a failing check counts as "not yet". */
export async function until(check, what = String(check)) {
  const deadline = Date.now() + kDeadlineMs;
  for (let last = ''; ; ) {
    try {
      const value = await check();
      if (value) return value;
    } catch (error) {
      last = `: ${error.message}`;
    }
    if (Date.now() > deadline) throw new Error(`waited ${kDeadlineMs / 1000} s for ${what}${last}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Is there such a process, and not just its exit status? While a thread of it ends, its locks and ports are held. */
export function alive(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return !/^State:\s*Z/m.test(status) || !/^Threads:\s*1$/m.test(status);
  } catch {
    return false;
  }
}
