// The client against a server that plays each situation: offsets, resending, gaps, states.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { scriptedServer, until, watchedClient } from './support.mjs';

let server;
let clients;
beforeEach(async () => {
  server = await scriptedServer();
  clients = [];
});
afterEach(() => {
  for (const client of clients) client.stop();
  server.close();
});

function open(options) {
  const watched = watchedClient(server.url, options);
  clients.push(watched.client);
  watched.client.start();
  return watched;
}

test('the first attach asks for all scrollback and starts input at 0', async () => {
  const { client, state } = open({ token: 'secret' });
  const connection = await server.connection(0);
  const attach = await connection.attached({ tier: 'new' });
  assert.equal(connection.protocol, 'terminal.v1');
  assert.equal(connection.url, '/terminal/s1?projectId=default');
  assert.deepEqual(attach, {
    type: 'attach', client: client.id, input: 0, cols: 80, rows: 24, role: 'writer', token: 'secret',
  });
  await state('connected');
  assert.deepEqual(client.state, { name: 'connected', tier: 'new' });
});

test('a reconnect asks for the first byte it lacks, and never creates a session', async () => {
  const { client, seen, state } = open();
  const first = await server.connection(0);
  await first.attached({ output: 1000, replayUntil: 1000 });
  first.bytes('hello');
  await until(() => seen.painted === 'hello');
  first.cut();
  await state('waiting');
  const second = await server.connection(1);
  const connecting = seen.states.filter(({ name }) => name === 'connecting');
  assert.deepEqual(connecting.map(({ again }) => again), [false, true]);
  const attach = await second.attached();
  assert.equal(attach.output, 1005);
  assert.equal(attach.client, client.id);
  assert.match(second.url, /create=false/);
  second.bytes(' again');
  await until(() => seen.painted === 'hello again');
});

test('bytes received but not yet parsed are not asked for again', async () => {
  const { seen } = open();
  const first = await server.connection(0);
  await first.attached();
  seen.hold = true;
  first.bytes('unparsed');
  await until(() => seen.painted === 'unparsed');
  first.cut();
  const second = await server.connection(1);
  assert.equal((await second.attached()).output, 8);
});

test('unacknowledged input is resent from the offset that attach names, nothing left out', async () => {
  const { client, state } = open();
  const first = await server.connection(0);
  await first.attached();
  await state('connected');
  client.input('abcdefgh');
  await until(() => first.input.toString() === 'abcdefgh');
  first.say({ type: 'ack', input: 3 });
  await until(() => client.unacknowledged === 5);
  first.cut();
  await state('waiting');
  client.input('ij'); // typed while away
  const second = await server.connection(1);
  const attach = await second.attached({ input: 6 }); // the last ack never arrived here
  assert.equal(attach.input, 3);
  await until(() => second.input.toString() === 'defghij'); // numbered from 3: the server skips def
  second.say({ type: 'ack', input: 10 });
  await until(() => client.unacknowledged === 0);
});

test('a server that does not know the client gets a new one, and what is unacknowledged, once', async () => {
  const { client, state } = open();
  const first = await server.connection(0);
  const before = await first.attached();
  await state('connected');
  client.input('known');
  await until(() => first.input.length === 5);
  first.say({ type: 'ack', input: 5 });
  await until(() => client.unacknowledged === 0);
  first.cut();
  await state('waiting');
  client.input('new');
  const second = await server.connection(1);
  await second.attached({ input: 0, tier: 'cold' });
  const third = await server.connection(2);
  const attach = await third.attached({ tier: 'cold' });
  assert.notEqual(attach.client, before.client);
  assert.equal(attach.input, 0);
  await until(() => third.input.toString() === 'new');
  assert.equal(second.input.length, 0);
  third.say({ type: 'ack', input: 3 });
  await until(() => client.unacknowledged === 0);
});

test('input before the first attach waits for it', async () => {
  const { client } = open();
  client.input('early');
  const connection = await server.connection(0);
  await connection.message('attach');
  assert.equal(connection.input.length, 0);
  await connection.attached();
  await until(() => connection.input.toString() === 'early');
});

test('while away 1 MiB of input is kept; more is refused as a whole, and said', async () => {
  const { client, seen, state } = open();
  const first = await server.connection(0);
  await first.attached();
  await state('connected');
  first.cut();
  await state('waiting');
  assert.equal(client.input(new Uint8Array(1024 * 1024 - 1)), true);
  assert.equal(client.input('xy'), false);
  assert.deepEqual(seen.full, [{ bytes: 1024 * 1024 - 1 }]);
  assert.equal(client.input('x'), true);
  const second = await server.connection(1);
  await second.attached();
  for (let last = -1; second.input.length < 1024 * 1024; ) {
    await until(() => second.input.length > last);
    last = second.input.length;
    second.say({ type: 'ack', input: last });
  }
  await until(() => client.unacknowledged === 0);
  assert.equal(second.input.at(-1), 'x'.charCodeAt(0));
});

test('a large paste keeps at most 256 KiB on its way, so that control messages pass', async () => {
  const { client, state } = open();
  const connection = await server.connection(0);
  await connection.attached();
  await state('connected');
  assert.equal(client.input(new Uint8Array(2 * 1024 * 1024)), true);
  client.resize(100, 30);
  await connection.message('resize');
  assert.equal(connection.input.length, 256 * 1024);
  connection.say({ type: 'ack', input: 1000 });
  await until(() => connection.input.length === 256 * 1024 + 1000);
});

test('output is acknowledged when parsed, at least every 128 KiB, and when idle', async () => {
  const { seen } = open();
  const connection = await server.connection(0);
  await connection.attached();
  seen.hold = true;
  connection.bytes(Buffer.alloc(300 * 1024, 'x'));
  await until(() => seen.pieces.length === 5);
  assert.equal(connection.of('ack').length, 0);
  seen.unparsed.splice(0, 2).forEach((done) => done());
  await until(() => connection.of('ack').some((ack) => ack.output === 128 * 1024));
  seen.unparsed.splice(0).forEach((done) => done());
  await until(() => connection.of('ack').some((ack) => ack.output === 300 * 1024));
  seen.hold = false;
  connection.bytes('y');
  await until(() => connection.of('ack').some((ack) => ack.output === 300 * 1024 + 1));
  let last = 0;
  for (const { output } of connection.of('ack')) {
    assert.ok(output > last && output - last <= 128 * 1024);
    last = output;
  }
});

test('a gap moves the counter, a repaint does not', async () => {
  const { client, seen } = open();
  const connection = await server.connection(0);
  await connection.attached();
  connection.bytes('12345');
  connection.say({ type: 'gap', from: 5, to: 5000 });
  connection.say({ type: 'repaint', bytes: 6 });
  connection.bytes('SCREEN');
  connection.bytes('678');
  await until(() => seen.painted === '12345SCREEN678');
  assert.equal(client.output, 5003);
  assert.deepEqual(seen.gaps.map(({ from, to }) => [from, to]), [[5, 5000]]);
  await until(() => connection.of('ack').some((ack) => ack.output === 5003));
});

test('a gap and a repaint before attached count the same', async () => {
  const { client, seen } = open();
  const first = await server.connection(0);
  await first.attached();
  first.bytes('12345');
  await until(() => seen.painted === '12345');
  first.cut();
  const second = await server.connection(1);
  await second.message('attach');
  second.say({ type: 'gap', from: 5, to: 900 });
  second.say({ type: 'repaint', bytes: 3 });
  second.bytes('NEW');
  await second.attached({ output: 900, replayUntil: 900 });
  second.bytes('x');
  await until(() => seen.painted === '12345NEWx');
  assert.equal(client.output, 901);
});

test('a connection lost between a gap and its repaint starts over with all scrollback', async () => {
  const { seen } = open();
  const first = await server.connection(0);
  await first.attached();
  first.bytes('12345');
  first.say({ type: 'gap', from: 5, to: 5000 });
  await until(() => seen.gaps.length === 1);
  first.cut();
  const second = await server.connection(1);
  const attach = await second.attached({ output: 4000, replayUntil: 5000 });
  assert.equal('output' in attach, false);
  assert.equal(seen.resets, 1);
  second.bytes('all');
  await until(() => seen.painted === 'all');
});

test("the terminal's own answers are dropped while history is painted, keys are not", async () => {
  const { client, seen, state } = open();
  const connection = await server.connection(0);
  await connection.attached({ output: 0, replayUntil: 10 });
  await state('connected');
  seen.hold = true;
  connection.bytes('0123456789live');
  await until(() => seen.pieces.length === 2);
  assert.deepEqual(seen.pieces, [10, 4]); // cut where the history ends
  client.terminalData('\x1b[?1;2c');
  client.terminalData('k');
  seen.unparsed.shift()();
  client.terminalData('\x1b[0n'); // an answer to what is live
  await until(() => connection.input.toString() === 'k\x1b[0n');
});

test('1001 reconnects at once', async () => {
  const { seen, state } = open();
  const first = await server.connection(0);
  await first.attached();
  await state('connected');
  first.close(1001, 'restarting');
  await (await server.connection(1)).attached({ tier: 'live' });
  await until(() => seen.states.at(-1).tier === 'live');
  assert.ok(!seen.states.some(({ name }) => name === 'waiting'));
});

test('1013 waits as long as the reason says, and shows it', async () => {
  const { client, state } = open();
  const first = await server.connection(0);
  await first.message('attach');
  first.close(1013, 'maintenance, try again in 5 s');
  await state('waiting');
  assert.equal(client.state.reason, 'maintenance, try again in 5 s');
  assert.ok(client.state.until - Date.now() > 4000);
});

for (const [code, reason, expected] of [
  [1008, 'a token is needed', { name: 'refused', reason: 'a token is needed', token: true }],
  [1008, 'origin not allowed', { name: 'refused', reason: 'origin not allowed', token: false }],
  [1009, '', { name: 'failed', reason: 'closed with code 1009' }],
  [4000, 'no shell: /bin/nope', { name: 'failed', reason: 'no shell: /bin/nope' }],
  [4001, '', { name: 'ended', why: 'closed' }],
  [4404, '', { name: 'ended', why: 'gone' }],
]) {
  test(`close ${code} (${reason}) is final until the user acts`, async () => {
    const { client, seen } = open();
    const connection = await server.connection(0);
    await connection.message('attach');
    connection.close(code, reason);
    await until(() => seen.states.length === 2);
    assert.deepEqual(client.state, expected);
  });
}

test('an exit is told with its code or signal, even if the close is lost', async () => {
  const { client, state } = open();
  const connection = await server.connection(0);
  await connection.attached();
  connection.say({ type: 'exit', signal: 'SIGKILL' });
  connection.cut();
  await state('ended');
  assert.deepEqual(client.state, { name: 'ended', why: 'exit', exit: { type: 'exit', signal: 'SIGKILL' } });
});

test('silence after a ping is a lost connection; anything received is life', async () => {
  const { seen, state } = open({ timing: { ping: 20, silence: 100 } });
  const first = await server.connection(0);
  await first.attached();
  await state('connected');
  const pings = await first.message('ping', 2);
  first.say({ type: 'pong', t: pings.t });
  await first.message('ping', 4);
  assert.equal(seen.states.at(-1).name, 'connected');
  await state('waiting'); // no more pongs
  await (await server.connection(1)).attached();
  await state('connected');
});

test('an engine notice changes the engines without a reconnect', async () => {
  const { client, seen } = open();
  const connection = await server.connection(0);
  await connection.attached();
  const engine = { sessions: 'legacy', streams: 'legacy', telemetry: 'refactored' };
  connection.say({ type: 'notice', kind: 'engine', message: 'moved', engine });
  await until(() => seen.notices.length === 1);
  assert.deepEqual(client.engines, engine);
  assert.equal(server.connections.length, 1);
});

test('what cannot be understood is ignored', async () => {
  const { seen } = open();
  const connection = await server.connection(0);
  await connection.attached();
  connection.socket.send('not json');
  connection.socket.send('[]');
  connection.say({ type: 'tomorrow', x: 1 });
  connection.bytes('ok');
  await until(() => seen.painted === 'ok');
  assert.equal(seen.states.at(-1).name, 'connected');
});

test('a size set by someone else is not fought over on reconnect', async () => {
  const { seen, state } = open();
  const first = await server.connection(0);
  await first.attached();
  await state('connected');
  first.say({ type: 'resized', cols: 132, rows: 50, client: 'other' });
  first.bytes('x');
  await until(() => seen.painted === 'x');
  first.cut();
  const attach = await (await server.connection(1)).attached();
  assert.deepEqual([attach.cols, attach.rows], [132, 50]);
});
