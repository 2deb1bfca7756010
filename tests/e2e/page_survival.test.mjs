// What the user of a page notices when the service is replaced or killed under it: nothing, or a
// pause that the status line explains.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, Service, Visit } from './support.mjs';
import { until } from '../support/waiting.mjs';

let service;
let browser;
before(async () => {
  [service, browser] = await Promise.all([Service.start(), launchBrowser()]);
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

/** Opens the page at a session of its own, and writes down the states of its client from now on. */
async function visit(session) {
  const user = await Visit.open(browser, service, `/#/e2e/${session}`);
  await user.page.evaluate(() => {
    window.states = [];
    window.terminalService.active().client.on('state', (state) => window.states.push(state.name));
  });
  return user;
}
/** The numbers of a counting loop; what was typed meanwhile is echoed between them. */
const ticks = (lines) => [...lines.join('\n').matchAll(/tick-(\d+)/g)].map((match) => Number(match[1]));
const states = (user) => user.page.evaluate(() => window.states);

test('typing goes on over a hand-over: no reconnect, the same status line', async (context) => {
  if (!service.holder) return context.skip('this service has no holder');
  const user = await visit('handed-over');
  const pid = await user.shellPid('shell');
  const withoutLatency = async () => (await user.status()).replace(/[\d.]+ ms/, '');
  const status = await withoutLatency();
  const first = await service.pid();
  await user.run('for i in $(seq 1 60); do echo tick-$i; sleep 0.03; done');
  await user.line(/^tick-5$/);
  await user.type('echo typed-'); // half a command on either side
  assert.notEqual(await service.handOver(), first);
  await user.type('over-$((4+4))');
  await user.page.keyboard.press('Enter');
  await user.line(/^typed-over-8$/);
  const lines = await user.lines();
  assert.deepEqual(ticks(lines), Array.from({ length: 60 }, (_, at) => at + 1));
  assert.equal(lines.filter((line) => line === 'typed-over-8').length, 1);
  assert.equal(await user.shellPid('after'), pid);
  assert.deepEqual(await states(user), []);
  assert.equal(await withoutLatency(), status);
  await user.screenshot('handed-over');
  await user.close();
});

test('a killed service that comes back has the same shell; what was typed arrives once; the page says live', async (context) => {
  if (!service.holder) return context.skip('this service has no holder');
  const user = await visit('killed');
  const pid = await user.shellPid('shell');
  await user.run('for i in $(seq 1 80); do echo tick-$i; sleep 0.05; done');
  await user.line(/^tick-3$/);
  await service.kill();
  await until(async () => /trying again/.test(await user.status()), 'the status line to say so');
  await user.run('echo typed-while-away-$((2+3))');
  await until(async () => /31 bytes typed, kept/.test(await user.status()), 'the status line to say what waits');
  await user.screenshot('killed');
  await service.run();
  await user.connected(); // by itself
  await user.line(/^typed-while-away-5$/);
  const lines = await user.lines();
  assert.deepEqual(ticks(lines), Array.from({ length: 80 }, (_, at) => at + 1));
  assert.equal(lines.filter((line) => line === 'typed-while-away-5').length, 1);
  assert.equal((await user.state()).tier, 'live');
  assert.match(await user.status(), /same shell, live/);
  assert.equal(await user.shellPid('after'), pid);
  await user.screenshot('killed-and-back');
  await user.close({ connectionFaults: true });
});

test('a page that was closed while the service died finds its shell by its address', async (context) => {
  if (!service.holder) return context.skip('this service has no holder');
  const user = await visit('closed-page');
  const pid = await user.shellPid('shell');
  await user.page.goto('about:blank');
  await service.kill();
  await service.run();
  await user.page.goto(`${service.url}/#/e2e/closed-page`);
  await user.connected();
  await user.line(new RegExp(`^shell=${pid}$`)); // its scrollback
  assert.equal(await user.shellPid('after'), pid);
  await user.close({ connectionFaults: true });
});

test('while the service is away only so much typing is kept, and the user is told', async (context) => {
  if (!service.holder) return context.skip('this service has no holder');
  const user = await visit('too-much');
  await service.kill();
  await until(async () => /trying again/.test(await user.status()), 'the status line to say so');
  const taken = await user.page.evaluate(() => {
    const { client } = window.terminalService.active();
    return [client.input('#'.repeat(1024 * 1024 - 4000)), client.input('#'.repeat(8000))];
  });
  assert.deepEqual(taken, [true, false]);
  await user.page.locator('.notice', { hasText: 'What you typed was not taken' }).waitFor();
  await user.screenshot('too-much');
  await service.run();
  await user.connected();
  await user.close({ connectionFaults: true });
});
