// Export of very many sessions, wipe, restore on a fresh instance: equal, and how much memory each part took.
//   node tests/scale/restore.mjs [--sessions=1000] [--bytes=262144]
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { programs } from '../ctl/support.mjs';
import { until } from '../support/waiting.mjs';
import { ask, crowdPlace, fill, number, Peak, printed } from './crowd.mjs';

const sessions = number('sessions', 1000);
const bytes = number('bytes', 262_144);
const kShell = `stty -opost -echo; base64 -w 70 /dev/urandom | head -c ${bytes}; exec cat`;
const directory = await mkdtemp(join(tmpdir(), 'terminal-scale-'));
const say = (what, values) => console.log(what, JSON.stringify(values));

/** terminal-ctl; what it and the service took. */
async function measured(place, args) {
  const service = new Peak(place.info().pid);
  const began = performance.now();
  const run = place.start(programs.ctl, args);
  const tool = new Peak(run.child.pid);
  while (run.status === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
  const figures = { seconds: +((performance.now() - began) / 1000).toFixed(2), service: service.stop(), tool: tool.stop() };
  assert.equal(run.status, 0, `${run.output.slice(-2000)}\n${place.service.output.split('\n').slice(-5).join('\n')}`);
  return { run, figures };
}
async function exported(place, name) {
  const file = join(directory, name);
  const { figures } = await measured(place, ['state', 'export', '-o', file]);
  const mib = statSync(file).size / 2 ** 20;
  say('export', { ...figures, file_mib: Math.round(mib), mib_per_s: Math.round(mib / figures.seconds) });
  return file;
}
/** Each session's text, by its hash: a line of the document. */
async function contents(file) {
  const found = new Map();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const text = line.replace(/^"sessions":\[/, '').replace(/\]?,?$/, '');
    if (!text.startsWith('{"') || !text.includes('"output":')) continue;
    const session = JSON.parse(text);
    assert.equal(Buffer.from(session.output.data, 'base64').length, bytes, session.id);
    found.set(session.id, createHash('sha256').update(text).digest('hex'));
  }
  return found;
}

let place = await crowdPlace(kShell);
try {
  await place.serve();
  await fill(place, sessions);
  await printed(place, bytes);
  const file = await exported(place, 'first.json');
  const first = await contents(file);
  assert.equal(first.size, sessions);
  await place.remove();

  place = await crowdPlace(kShell);
  await place.serve();
  assert.equal((await ask(place, '/api/admin/sessions')).count, 0);
  for (const expected of ['restored', 'skipped']) {
    const { run, figures } = await measured(place, ['--json', 'state', 'restore', file]);
    const report = JSON.parse(run.stdout);
    assert.equal(report[expected], sessions, run.stdout.slice(0, 500));
    say('restore', { [expected]: sessions, ...figures, mib_per_s: Math.round(statSync(file).size / 2 ** 20 / figures.seconds) });
  }
  assert.deepEqual(await contents(await exported(place, 'second.json')), first);
  console.log(`equal: ${sessions} sessions of ${bytes} bytes`);
  await until(() => ask(place, '/api/health/terminal').then(({ status }) => status === 'healthy'), 'health');
} finally {
  await place.remove();
  await rm(directory, { recursive: true, force: true });
}
