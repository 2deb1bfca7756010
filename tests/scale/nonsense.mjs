// Documents that are none, streamed from a generator: refused with the reason, nothing changed, memory flat.
//   node tests/scale/nonsense.mjs [--gigabytes=10] [--only=blanks]
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { ask, crowdPlace, fill, number, Peak } from './crowd.mjs';

const total = number('gigabytes', 10) * 1e9;
const place = await crowdPlace('exec cat');

const output = { firstOffset: 0, nextOffset: 786_432, data: Buffer.alloc(786_432, 'nonsense').toString('base64') };
const kinds = {
  'random bytes': { begin: '', piece: () => Buffer.alloc(1 << 20, 0xa5) },
  'one endless string': { begin: '{"sessions":[{"id":"', piece: () => Buffer.alloc(1 << 20, 'x') },
  blanks: { begin: '{', piece: () => Buffer.alloc(1 << 20, ' ') },
  'endless small sessions': {
    begin: '{"sessions":[{"id":"first"}',
    piece: (n) => Buffer.from(Array.from({ length: 2000 }, (_, i) => `,{"id":"s${n}-${i}"}`).join('')),
  },
  // Right in every byte but the last: a checksum that is wrong.
  'sessions of 1 MiB to the very end': {
    begin: '{"format":"terminal-state","version":1,"projects":[],"sessions":[{"id":"first"}',
    piece: (n) => Buffer.from(`,${JSON.stringify({ id: `s${n}`, output })}`),
    end: '],"connections":[],"counts":{"sessions":1,"bytes":1},"sha256":"00"}',
  },
};

/** Sends until it is refused or `total` bytes are sent. */
function send({ begin, piece, end = '' }) {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = false;
    let drained = () => {};
    const post = request({ port: place.info().http_port, host: '127.0.0.1', method: 'POST', path: '/api/admin/state',
      headers: { 'Transfer-Encoding': 'chunked', Expect: '100-continue' } });
    post.on('response', (answer) => {
      answered = true;
      let text = '';
      answer.on('data', (bytes) => (text += bytes));
      answer.on('end', () => resolve({ sent, status: answer.statusCode, ...JSON.parse(text) }));
    });
    post.on('drain', () => drained());
    post.on('close', () => drained());
    post.on('error', (error) => answered || reject(error));
    post.on('continue', async () => {
      post.write(begin);
      for (let n = 0; sent < total && !answered && !post.destroyed; ++n) {
        const bytes = piece(n);
        sent += bytes.length;
        if (!post.write(bytes)) await new Promise((go) => (drained = go));
      }
      if (!answered && !post.destroyed) post.end(end);
    });
    post.flushHeaders();
  });
}

try {
  await place.serve();
  await fill(place, 3);
  const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice(7) ?? '';
  for (const [name, kind] of Object.entries(kinds).filter(([found]) => found.includes(only))) {
    const peak = new Peak(place.info().pid);
    const began = performance.now();
    const { sent, status, error, code } = await send(kind);
    console.log(JSON.stringify({ name, megabytes: Math.round(sent / 1e6), status, code, error,
      seconds: +((performance.now() - began) / 1000).toFixed(1), service: peak.stop() }));
    assert.ok(status >= 400, `${name}: ${status}`);
    assert.ok(error, name);
    const health = await ask(place, '/api/health/terminal');
    assert.deepEqual([health.sessions.total, health.sessions.cold], [3, 0], name);
  }
} finally {
  await place.remove();
}
