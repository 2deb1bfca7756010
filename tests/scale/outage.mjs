// PostgreSQL frozen, killed and slow for a while under a typing load: every keystroke comes back, in order, and the
// time it takes is that of before.
//   node tests/scale/outage.mjs [--seconds=60] [--terminals=20] [--pause-ms=50]
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Postgres } from '../ctl/databases.mjs';
import { Terminal } from '../ctl/support.mjs';
import { until } from '../support/waiting.mjs';
import { ask, crowdPlace, number } from './crowd.mjs';

const seconds = number('seconds', 60);
const pause = number('pause-ms', 50);
const postgres = new Postgres();
// What is typed comes back as it is, and nothing else does.
const place = await crowdPlace('stty raw -echo; printf ready; exec cat', {
  DATABASE_URL: postgres.url, TERMINAL_RECORD_COMMANDS: 'true' });

/** Types numbered lines, one after the other, and times the way back of each. */
class Typist {
  times = [];
  count = 0;
  period = 0; // What began in another one is not counted.
  constructor(terminal) {
    this.terminal = terminal;
  }
  async run() {
    for (this.stopped = false; !this.stopped; ) {
      const line = `line ${this.count++}\n`;
      const { period } = this;
      const began = performance.now();
      const end = this.terminal.seen.length + line.length;
      this.terminal.socket.send(line);
      while (this.terminal.seen.length < end && !this.stopped) {
        await new Promise((resolve) => {
          this.terminal.socket.once('message', resolve);
          setTimeout(resolve, 5000);
        });
      }
      if (period === this.period) this.times.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * pause));
    }
  }
  expected() {
    let all = '';
    for (let i = 0; i < this.count; ++i) all += `line ${i}\n`;
    return all;
  }
}
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const store = async () => (await ask(place, '/api/health/terminal')).store;

const postmaster = () => Number(readFileSync(join(postgres.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
function family(signal) {
  const pid = postmaster();
  const children = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean).map(Number);
  for (const one of [pid, ...children]) {
    try { process.kill(one, signal); } catch { /* It has ended. */ }
  }
}
const outages = {
  before: { begin() {}, end() {} },
  frozen: { begin: () => family('SIGSTOP'), end: () => family('SIGCONT') },
  killed: { begin: () => postgres.stop(), end: () => postgres.start() },
  slow: {
    begin() {
      postgres.query(`CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$`);
      for (const table of ['terminal_sessions_v2', 'terminal_audit', 'terminal_commands', 'terminal_projects'])
        postgres.query(`CREATE TRIGGER slow AFTER INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION slow()`);
    },
    end: () => postgres.query('DROP FUNCTION slow CASCADE'),
  },
  after: { begin() {}, end() {} },
};

const typists = [];
try {
  await place.serve();
  for (let i = 0; i < number('terminals', 20); ++i) {
    const terminal = await Terminal.open(place, `s${i}`);
    await until(() => terminal.seen === 'ready', 'a shell');
    terminal.seen = '';
    typists.push(new Typist(terminal));
  }
  const running = typists.map((typist) => typist.run());
  for (const [name, outage] of Object.entries(outages)) {
    outage.begin();
    for (const typist of typists) {
      typist.times = [];
      ++typist.period;
    }
    // Something to write all the time, beside what the sessions are.
    const busy = setInterval(() => ask(place, '/api/admin/traffic', { percentage: 100 }).catch(() => {}), 500);
    await wait(seconds * 1000);
    clearInterval(busy);
    const during = await store();
    const times = typists.flatMap((typist) => typist.times).sort((a, b) => a - b);
    outage.end();
    await until(async () => (await store()).status === 'ok', `the store after ${name}`);
    console.log(JSON.stringify({ outage: name, keystrokes: times.length, p50_ms: +at(times, 0.5).toFixed(2),
      p99_ms: +at(times, 0.99).toFixed(2), max_ms: +times.at(-1).toFixed(1), store: during.status, why: during.reason,
      waiting: during.waiting }));
    // A frozen one is known as such once a batch has taken 10 s.
    if (seconds > 20 && (name === 'frozen' || name === 'killed')) assert.equal(during.status, 'unavailable', name);
  }
  for (const typist of typists) typist.stopped = true;
  await Promise.all(running);
  for (const typist of typists) {
    await until(() => typist.terminal.seen.length >= typist.expected().length, 'the last keystrokes');
    assert.equal(typist.terminal.seen, typist.expected(), 'keystrokes lost, doubled or out of order');
    assert.equal(typist.terminal.closed, undefined);
  }
  const { lost, dropped } = await store();
  assert.deepEqual([lost, dropped], [0, 0]);
  await until(() => postgres.query('SELECT count(*) FROM terminal_sessions_v2') === String(typists.length), 'every row');
  const audited = Number(postgres.query("SELECT count(*) FROM terminal_audit WHERE action LIKE '%traffic%'"));
  console.log(JSON.stringify({ exact: typists.reduce((sum, { count }) => sum + count, 0), audited }));
} finally {
  for (const { terminal } of typists) terminal.close();
  try { family('SIGCONT'); } catch { /* It is stopped. */ }
  await place.remove();
  postgres.remove();
}
