// A service with very many sessions, for runs by hand; what it says is measured, never asserted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Place } from '../ctl/support.mjs';
import { until } from '../support/waiting.mjs';

/** `--name=NUMBER` of the command line. */
export function number(name, fallback) {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  return given ? Number(given.slice(name.length + 3)) : fallback;
}
export const flag = (name) => process.argv.includes(`--${name}`);

/** Runs `shell` (bash) in every session, and nothing of the user's. */
export async function crowdPlace(shell, settings = {}) {
  const place = await Place.make({
    MAX_TERMINAL_CREATIONS_PER_MIN: '100000',
    MAX_SESSIONS_PER_PROJECT: '10000',
    TERMINAL_DETACHED_TTL: '0',
    ...settings,
  });
  place.environment.SHELL = join(place.directory, 'shell');
  await writeFile(place.environment.SHELL, `#!/bin/bash\n${shell}\n`);
  await chmod(place.environment.SHELL, 0o755);
  return place;
}

/** What an operator asks; JSON. */
export async function ask(place, path, body) {
  const answer = await fetch(`http://127.0.0.1:${place.info().http_port}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

export async function fill(place, count) {
  const all = Array.from({ length: count }, (_, i) => `s${i}`);
  const worker = async () => {
    for (let id = all.pop(); id; id = all.pop())
      await ask(place, '/api/terminal/create', { sessionId: id, projectId: `p${id.length}` });
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}
/** Until every session has printed that much. */
export function printed(place, bytes) {
  return until(
    async () => (await ask(place, '/api/admin/sessions')).sessions.every((s) => s.next_offset >= bytes),
    `${bytes} bytes of every session`);
}

const field = (pid, name) =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** The most private memory (MiB) that a process had at any of many looks, until `stop()`. */
export class Peak {
  constructor(pid) {
    this.pid = pid;
    this.first = this.most = this.last = field(pid, 'RssAnon');
    this.timer = setInterval(() => this.look(), 20);
  }
  look() {
    try {
      this.last = field(this.pid, 'RssAnon');
      this.most = Math.max(this.most, this.last);
    } catch {
      // It has ended.
    }
  }
  stop() {
    this.look();
    clearInterval(this.timer);
    return { before_mib: +this.first.toFixed(1), most_mib: +this.most.toFixed(1), after_mib: +this.last.toFixed(1) };
  }
}
