// The client's parts that need no connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff, InputLog, isTerminalAnswer, OutputCursor, readClose } from './support.mjs';

test('the back-off doubles from 0.25 s to 8 s', () => {
  const backoff = new Backoff(() => 0.5);
  const waits = Array.from({ length: 8 }, () => backoff.next());
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
  backoff.reset();
  assert.equal(backoff.next(true), 0);
  assert.equal(backoff.next(true), 500); // a server that goes on restarting is not hammered
});

test('the jitter stays within a quarter and below the longest wait', () => {
  for (const random of [0, 0.25, 0.75, 0.999]) {
    const backoff = new Backoff(() => random);
    for (let expected = 250; expected < 20_000; expected *= 2) {
      const wait = backoff.next();
      assert.ok(wait >= Math.min(8000, expected) * 0.75 && wait <= Math.min(8000, expected * 1.25));
    }
  }
});

/** Reads all frames that may go out now. */
function frames(log) {
  const out = [];
  for (let frame; (frame = log.nextFrame()); ) out.push(Buffer.from(frame));
  return Buffer.concat(out);
}

test('the input log sends every byte once whatever the cuts', () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
  const log = new InputLog();
  let typed = Buffer.alloc(0);
  let received = Buffer.alloc(0); // what the server has written to the PTY
  let onTheWay = Buffer.alloc(0);
  let next = 0; // the offset of what is on the way
  const arrive = (length) => {
    const known = Math.min(length, received.length - next); // skipped, as the server does it
    received = Buffer.concat([received, onTheWay.subarray(known, length)]);
    onTheWay = onTheWay.subarray(length);
    next += length;
  };
  for (let step = 0; step < 1000; step++) {
    const action = random(10);
    if (action < 5) {
      const bytes = Buffer.alloc(random(action === 0 ? 40_000 : 20), step % 251);
      typed = Buffer.concat([typed, bytes]);
      log.push(bytes);
    } else if (action < 8) {
      onTheWay = Buffer.concat([onTheWay, frames(log)]);
    } else if (action === 8) {
      arrive(random(onTheWay.length + 1));
      log.acknowledge(received.length);
    } else {
      arrive(random(onTheWay.length + 1)); // arrived, but the acknowledgement is lost with the rest
      onTheWay = Buffer.alloc(0);
      next = log.acknowledged;
      log.resend();
      onTheWay = frames(log);
      log.acknowledge(received.length);
    }
  }
  do {
    onTheWay = Buffer.concat([onTheWay, frames(log)]);
    arrive(onTheWay.length);
    log.acknowledge(received.length);
  } while (log.pendingBytes > 0);
  assert.equal(Buffer.compare(received, typed), 0);
});

test('an acknowledgement of what was never sent changes nothing', () => {
  const log = new InputLog();
  log.push(Buffer.from('abc'));
  log.acknowledge(3);
  assert.equal(log.pendingBytes, 3);
  frames(log);
  log.acknowledge(4);
  assert.equal(log.pendingBytes, 3);
  log.acknowledge(3);
  assert.equal(log.pendingBytes, 0);
});

test('a server that starts behind what was received sets the counter back', () => {
  const cursor = new OutputCursor();
  cursor.attached(0, 0);
  cursor.take(Buffer.alloc(100));
  cursor.attached(40, 40); // while those 100 are still being parsed
  assert.equal(cursor.received, 40);
  cursor.pieceParsed();
  assert.equal(cursor.takeAck(), undefined);
  cursor.take(Buffer.alloc(10));
  cursor.pieceParsed();
  assert.equal(cursor.takeAck(), 50);
});

test('answers are told from keys', () => {
  for (const answer of [
    '\x1b[?1;2c', '\x1b[>0;276;0c', '\x1b[0n', '\x1b[24;80R', '\x1b[?24;80R', '\x1b[?2004;1$y', '\x1b[4;2$y',
    '\x1b[8;24;80t', '\x1bP1$r0m\x1b\\', '\x1bP>|xterm.js(6.0.0)\x1b\\', '\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\',
    '\x1b]4;1;rgb:cc/00/00\x07', '\x1b[I', '\x1b[O',
  ]) {
    assert.ok(isTerminalAnswer(answer), JSON.stringify(answer));
  }
  for (const key of [
    'a', '\r', '\x1b', '\x1b[A', '\x1bOA', '\x1b[1;5C', '\x1b[3~', '\x1b[15;2~', '\x1b[<0;10;5M', '\x1bP', '\x1b]',
    '\x1b[200~text\x1b[201~', 'ls -l\r', '\x03',
  ]) {
    assert.ok(!isTerminalAnswer(key), JSON.stringify(key));
  }
});

test('the wait that a full server asks for is bounded', () => {
  assert.equal(readClose(1013, 'limit').afterMs, 1000);
  assert.equal(readClose(1013, 'try again in 3600 s').afterMs, 60_000);
  assert.equal(readClose(1011, 'id 7').kind, 'retry');
  assert.equal(readClose(1006, '').kind, 'retry');
});
