// A PostgreSQL and a Redis of a test's own, on UNIX sockets in a directory of their own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function must(file, args, options = {}) {
  const run = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000, ...options });
  assert.equal(run.status, 0, `${file} ${args.join(' ')}: ${run.error ?? ''}${run.stderr}${run.stdout}`);
  return run.stdout;
}
/** PostgreSQL refuses to run as root. */
const asPostgres = (file, args) =>
  process.getuid() === 0
    ? must('setpriv', ['--reuid=postgres', '--regid=postgres', '--init-groups', file, ...args], { cwd: '/' })
    : must(file, args, { cwd: '/' });

export class Postgres {
  constructor() {
    const version = readdirSync('/usr/lib/postgresql').sort((a, b) => a - b).at(-1);
    this.programs = `/usr/lib/postgresql/${version}/bin`;
    this.directory = mkdtempSync(join(tmpdir(), 'terminal-pg-'));
    chmodSync(this.directory, 0o777);
    this.data = join(this.directory, 'data');
    asPostgres(join(this.programs, 'initdb'), ['-D', this.data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8',
      '--locale=C.UTF-8', '--no-sync']);
    writeFileSync(join(this.data, 'postgresql.conf'),
      `listen_addresses=''\nunix_socket_directories='${this.directory}'\nfsync=off\nshared_buffers=32MB\n`);
    this.start();
    this.url = `postgresql://postgres@/postgres?host=${encodeURIComponent(this.directory)}`;
  }
  start() {
    asPostgres(join(this.programs, 'pg_ctl'), ['-D', this.data, '-w', '-l', join(this.directory, 'log'), 'start']);
  }
  stop(mode = 'immediate') {
    asPostgres(join(this.programs, 'pg_ctl'), ['-D', this.data, '-m', mode, '-w', 'stop']);
  }
  /** Shell: its end without a word to anybody, like a kill. */
  stopCommand() {
    const stop = `${join(this.programs, 'pg_ctl')} -D ${this.data} -m immediate -w stop`;
    return process.getuid() === 0
      ? `(cd / && setpriv --reuid=postgres --regid=postgres --init-groups ${stop}) >/dev/null`
      : `${stop} >/dev/null`;
  }
  query(sql) {
    return must('psql', ['-d', this.url, '-Atc', sql]).trim();
  }
  remove() {
    try {
      this.stop();
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}

export class Redis {
  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'terminal-redis-'));
    this.socket = join(this.directory, 'redis.sock');
    must('redis-server', ['--port', '0', '--unixsocket', this.socket, '--save', '', '--appendonly', 'no',
      '--daemonize', 'yes', '--dir', this.directory]);
    this.url = `unix://${this.socket}`;
  }
  cli(...args) {
    return must('redis-cli', ['-s', this.socket, ...args]).trim();
  }
  remove() {
    spawnSync('redis-cli', ['-s', this.socket, 'shutdown', 'nosave'], { timeout: 10_000 });
    rmSync(this.directory, { recursive: true, force: true });
  }
}
