// The terminal page in a real browser against the real service.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { installed, launchBrowser, Service, Visit } from './support.mjs';
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

/** Opens the page at a session of its own. */
const visit = (session, options) => Visit.open(browser, service, `/#/e2e/${session}`, options);
const button = (page, name) => page.getByRole('button', { name });

test('the first visit finds a terminal in the project default, and it computes', async () => {
  const user = await Visit.open(browser, service);
  assert.match(user.page.url(), /#\/default\/session_/);
  await user.run('echo $((6*7))');
  await user.line(/^42$/);
  await user.close();
});

test('a resize reaches the shell', async () => {
  const user = await visit('resize');
  const size = () => user.page.evaluate(() => [window.terminalService.active().term.rows, window.terminalService.active().term.cols]);
  const before = await size();
  await user.page.setViewportSize({ width: 700, height: 420 });
  const after = await until(async () => {
    const now = await size();
    return now[0] < before[0] && now[1] < before[1] && now;
  }, 'a smaller terminal');
  await user.run('stty size');
  await user.line(new RegExp(`^${after[0]} ${after[1]}$`));
  assert.match(await user.status(), new RegExp(`${after[1]}×${after[0]}`));
  await user.close();
});

test('a full-screen program takes the screen and gives it back', async () => {
  const user = await visit('full-screen');
  const program = installed('vi', 'less');
  assert.ok(program, 'vi or less must be installed');
  const screen = () => user.page.evaluate(() => window.terminalService.active().term.buffer.active.type);
  await user.run('echo before it');
  await user.line(/^before it$/);
  const file = join(service.directory, 'lines');
  await writeFile(file, Array.from({ length: 500 }, (_, at) => `${at + 1}\n`).join(''));
  await user.run(`${program} ${file}`);
  await until(async () => (await screen()) === 'alternate', 'the alternate screen');
  await user.line(/^1$/);
  await user.page.reload(); // the program goes on, and so does its picture
  await user.connected();
  await until(async () => (await screen()) === 'alternate', 'the alternate screen after a reload');
  await user.line(/^1$/);
  if (program === 'less') {
    await user.type('q');
  } else {
    await user.page.keyboard.press('Escape');
    await user.run(':qa!');
  }
  await until(async () => (await screen()) === 'normal', 'the normal screen');
  await user.line(/^before it$/);
  await user.close();
});

test('a second tab is a second shell; after a reload both are as they were', async () => {
  const user = await visit('first-tab');
  const first = await user.shellPid('first');
  await user.run('echo scroll-$((20+3))');
  await user.line(/^scroll-23$/);
  await button(user.page, /^New terminal/).first().click();
  await until(async () => (await user.tabs()).length === 2, 'a second tab');
  await user.connected();
  const second = await user.shellPid('second');
  assert.notEqual(second, first);

  await user.page.reload();
  await user.connected();
  assert.equal((await user.tabs()).length, 2);
  await user.line(new RegExp(`^second=${second}$`)); // its scrollback
  assert.equal(await user.shellPid('again'), second); // its shell
  await user.page.getByRole('tab').first().click();
  await user.connected();
  await user.line(/^scroll-23$/);
  assert.equal(await user.shellPid('still'), first);
  assert.match(await user.status(), /same shell/);
  await user.close();
});

test('a reload while history is painted sends no answer of the terminal to the shell', async () => {
  const user = await visit('answers');
  // A query in the output: the terminal answers once, to the program that asked.
  await user.run("printf '\\033[c'; read -rsd c answer; echo got-${#answer}-bytes");
  await user.line(/^got-\d+-bytes$/);
  await user.page.reload();
  await user.connected();
  await user.line(/^got-\d+-bytes$/);
  await user.run('echo clean-$((1+1))');
  await user.line(/^clean-2$/);
  const lines = await user.lines();
  assert.ok(!lines.some((line) => /\^\[|;2c|1;2c/.test(line) && !line.includes('printf')), lines.join('\n'));
  await user.close();
});

test('a terminal is renamed, and the name is there after a reload', async () => {
  const user = await visit('rename');
  await user.page.keyboard.press('Alt+Shift+R');
  await user.page.getByRole('textbox', { name: 'Name' }).fill('build box');
  await user.page.keyboard.press('Enter');
  await until(async () => (await user.tabs())[0] === 'build box', 'the new name');
  await user.run('echo the focus is back'); // in the terminal
  await user.line(/^the focus is back$/);
  await user.page.reload();
  await until(async () => (await user.tabs())[0] === 'build box', 'the new name after a reload');
  await user.connected();
  await user.close();
});

test('closing asks first; the tab alone can go, or the session with it', async () => {
  const user = await visit('close-me');
  const pid = await user.shellPid('shell');
  await user.page.keyboard.press('Alt+Shift+W');
  await user.page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await user.shellPid('kept'), pid);

  await user.page.keyboard.press('Alt+Shift+W');
  await button(user.page, 'Close the tab only').click();
  await until(async () => (await user.tabs()).length === 0, 'no tab');
  await button(user.page, /^All sessions/).first().click();
  const row = user.page.locator('.session-row', { hasText: /open|active|inactive|attached|detached/ }).filter({ visible: true });
  await user.page.getByPlaceholder('Filter by name or project').fill('e2e');
  await until(async () => (await row.count()) > 0, 'the list');
  await user.page.keyboard.press('Escape');
  await user.page.evaluate(() => (location.hash = '#/e2e/close-me'));
  await user.connected();
  assert.equal(await user.shellPid('back'), pid);

  await user.page.keyboard.press('Alt+Shift+W');
  await button(user.page, 'End the session').click();
  await until(async () => (await user.tabs()).length === 0, 'no tab');
  const list = await (await fetch(`${service.url}/api/terminal/list?projectId=e2e`)).json();
  assert.ok(!list.sessions.some(({ id }) => id === 'close-me'));
  await user.close();
});

test('an exit says its code and offers a new terminal', async () => {
  const user = await visit('exits');
  await user.run('exit 3');
  await user.page.getByText('The shell ended with exit code 3.').waitFor();
  await user.page.locator('.end-card').getByRole('button', { name: 'New terminal' }).click();
  await user.connected();
  await user.run('echo a-new-$((1+0))');
  await user.line(/^a-new-1$/);
  assert.equal((await user.tabs()).length, 1);
  await user.close();
});

test('the page reconnects by itself, loses nothing and types nothing twice', async () => {
  const user = await visit('cable');
  const pid = await user.shellPid('shell');
  await user.run('for i in $(seq 1 40); do echo tick-$i; sleep 0.05; done');
  await user.line(/^tick-3$/);
  service.cable.unplug();
  await until(async () => /trying again/.test(await user.status()), 'the status line to say so');
  await user.run('echo typed-while-$((4+4))');
  service.cable.plug();
  await user.connected();
  await user.line(/^typed-while-8$/);
  const lines = await user.lines();
  const ticks = lines.filter((line) => /^tick-\d+$/.test(line)).map((line) => Number(line.slice(5)));
  assert.deepEqual(ticks, Array.from({ length: 40 }, (_, at) => at + 1));
  assert.equal(lines.filter((line) => line === 'typed-while-8').length, 1);
  assert.equal(await user.shellPid('after'), pid);
  await user.close({ connectionFaults: true });
});

test('a flip changes the engine in the status line and nothing else', async () => {
  const user = await visit('flip');
  await until(async () => /engine refactored/.test(await user.status()), 'the engine');
  await user.page.evaluate(() => {
    window.states = [];
    window.terminalService.active().client.on('state', (state) => window.states.push(state.name));
  });
  const pid = await user.shellPid('shell');
  try {
    await service.admin('/api/admin/feature-flags', { terminal_refactor: false, force: true, reason: 'e2e' });
    await until(async () => /engine legacy/.test(await user.status()), 'legacy');
    assert.equal(await user.shellPid('after'), pid);
  } finally {
    await service.admin('/api/admin/feature-flags', { terminal_refactor: true, force: true, reason: 'e2e' });
  }
  await until(async () => /engine refactored/.test(await user.status()), 'refactored again');
  assert.deepEqual(await user.page.evaluate(() => window.states), []);
  await user.close();
});

test('maintenance is shown in a bar of its own, also after a reload, until it ends', async () => {
  const user = await visit('maintenance');
  const bar = user.page.locator('.notice', { hasText: 'Disks are being changed' });
  try {
    await service.admin('/api/admin/maintenance/enable', { message: 'Disks are being changed', eta: '5 minutes' });
    await bar.waitFor();
    assert.match(await bar.textContent(), /Expected: 5 minutes/);
    assert.ok(!(await user.lines()).some((line) => line.includes('Disks')));
    await user.page.reload(); // a session that exists is let in
    await bar.waitFor();
  } finally {
    await service.admin('/api/admin/maintenance/disable', {});
  }
  await bar.waitFor({ state: 'detached' });
  await user.page.locator('.notice', { hasText: 'The maintenance is over' }).waitFor();
  await user.run('echo goes-on-$((3+3))');
  await user.line(/^goes-on-6$/);
  await user.close();
});

test('a flood of output arrives whole, and the keys get through it', async () => {
  const user = await visit('flood');
  await user.run('seq 1 200000; echo flood-$((1+1))-over');
  await user.line(/^flood-2-over$/);
  const lines = await user.lines();
  const over = lines.indexOf('flood-2-over');
  assert.deepEqual(lines.slice(over - 3, over), ['199998', '199999', '200000']);
  await user.run('yes');
  await user.line(/^y$/);
  await user.page.keyboard.press('Control+C');
  await user.run('echo quiet-$((5+5))');
  await user.line(/^quiet-10$/);
  await user.close();
});

test('the title of the program is the title of the page, at most 256 characters of text', async () => {
  const user = await visit('title');
  await user.run("printf '\\033]0;<b>build</b>\\007'");
  await until(async () => (await user.page.title()) === '<b>build</b>', 'the title');
  await user.run("printf '\\033]0;%0300d\\007' 7");
  await until(async () => (await user.page.title()) === '0'.repeat(256), 'the long title');
  await user.close();
});
