// The terminal page in a real browser against the real service.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { installed, launchBrowser, Service, until, Visit } from './support.mjs';

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

test('a killed service that comes back has the same shell, and the page says live', async (context) => {
  if (!service.holder) return context.skip('this service has no holder');
  const user = await visit('killed');
  const pid = await user.shellPid('shell');
  await service.kill();
  await until(async () => (await user.state()).name === 'waiting', 'the page to notice');
  await user.type('echo typed-while-away-$((2+3))');
  await service.run();
  await user.connected();
  await user.page.keyboard.press('Enter');
  await user.line(/^typed-while-away-5$/);
  assert.equal(await user.shellPid('after'), pid);
  assert.equal((await user.state()).tier, 'live');
  await user.close({ connectionFaults: true });
});

test('maintenance is shown in a bar of its own', async (context) => {
  const { status } = await fetch(`${service.adminUrl}/api/admin/maintenance/disable`, { method: 'POST' });
  if (status === 404) return context.skip('this service has no maintenance');
  const user = await visit('maintenance');
  try {
    await service.admin('/api/admin/maintenance/enable', { message: 'Disks are being changed', eta: '5 minutes' });
    await user.page.locator('.notice', { hasText: 'Disks are being changed' }).waitFor();
    assert.ok(!(await user.lines()).some((line) => line.includes('Disks')));
  } finally {
    await service.admin('/api/admin/maintenance/disable', {});
  }
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

test('finding text, copying and pasting', async () => {
  const user = await visit('find', { permissions: ['clipboard-read', 'clipboard-write'] });
  await user.run('for w in needle hay needle; do echo $w-$((7*3)); done');
  await user.line(/^needle-21$/);
  await user.page.keyboard.press('Control+Shift+F');
  await user.type('needle-21');
  await user.page.getByText('of 2').waitFor();
  await user.page.keyboard.press('Escape');
  await user.page.keyboard.press('Control+Shift+C'); // the match found is selected
  await until(async () => (await user.page.evaluate(() => navigator.clipboard.readText())) === 'needle-21', 'the clipboard');
  await user.type('echo pasted:');
  await user.page.keyboard.press('Control+Shift+V');
  await user.line(/echo pasted:needle-21$/);
  await user.page.keyboard.press('Enter');
  await user.line(/^pasted:needle-21$/);
  await user.close();
});

test('a program cannot write the clipboard unless the user allows it', async () => {
  const user = await visit('osc52', { permissions: ['clipboard-read', 'clipboard-write'] });
  const clipboard = () => user.page.evaluate(() => navigator.clipboard.readText());
  await user.page.evaluate(() => navigator.clipboard.writeText('mine'));
  const write = (text) => user.run(`printf '\\033]52;c;%s\\007' "$(printf ${text} | base64)"; echo sent-${text}`);
  await write('theirs');
  await user.line(/^sent-theirs$/);
  assert.equal(await clipboard(), 'mine');
  await button(user.page, 'Menu').click();
  await user.page.getByRole('menuitem', { name: 'Settings…' }).click();
  await user.page.getByLabel('Programs may write the clipboard').check();
  await user.page.keyboard.press('Escape');
  await write('allowed');
  await user.line(/^sent-allowed$/);
  await until(async () => (await clipboard()) === 'allowed', 'the clipboard');
  await user.close();
});

test('everything can be reached by keyboard, and Escape leads back to the terminal', async () => {
  const user = await visit('keyboard');
  const { page } = user;
  await page.keyboard.press('Alt+Shift+N');
  await until(async () => (await user.tabs()).length === 2, 'a second tab');
  await user.connected();
  await page.keyboard.press('Alt+Shift+M');
  const selected = () => page.evaluate(() => [document.activeElement.getAttribute('role'), document.activeElement.getAttribute('aria-selected'), document.activeElement.id]);
  const [role, isSelected, id] = await selected();
  assert.deepEqual([role, isSelected], ['tab', 'true']);
  await page.keyboard.press('ArrowLeft');
  await until(async () => (await selected())[2] !== id && (await selected())[1] === 'true', 'the other tab');
  assert.equal(await page.getByRole('tabpanel').count(), 1);
  await page.keyboard.press('Alt+Shift+H');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await page.keyboard.press('Escape');
  await user.run('echo escaped-$((8+1))');
  await user.line(/^escaped-9$/);
  await user.close();
});

test('two viewers share a size, and the one that types last sets it', async () => {
  const large = await visit('shared');
  const small = await visit('shared', { viewport: { width: 600, height: 400 } });
  const size = (user) => user.page.evaluate(() => [window.terminalService.active().term.cols, window.terminalService.active().term.rows].join('×'));
  const smallSize = await size(small);
  await until(async () => (await size(large)) === smallSize, 'the large one to follow the small one');
  await until(async () => /set elsewhere/.test(await large.status()), 'the status line to say so');
  await large.run('echo from-the-large-one');
  await small.line(/^from-the-large-one$/);
  await until(async () => (await size(large)) !== smallSize && (await size(large)) === (await size(small)), 'the size of the large one');
  await large.close();
  await small.close();
});

test('with WebGL, and without it once the graphics card is lost', async () => {
  const drawing = await launchBrowser({ webgl: true });
  try {
    const user = await Visit.open(drawing, service, '/#/e2e/webgl', { settings: { webgl: 'always' } });
    const renderer = () => user.page.evaluate(() => window.terminalService.active().renderer);
    assert.equal(await renderer(), 'webgl');
    await user.run('echo drawn-$((1+1))');
    await user.line(/^drawn-2$/);
    await user.page.evaluate(() => {
      for (const canvas of document.querySelectorAll('.pane canvas')) {
        canvas.getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
      }
    });
    await until(async () => (await renderer()) === 'dom', 'the fall-back');
    await user.run('echo drawn-$((2+1))');
    await user.page.locator('.xterm-rows', { hasText: 'drawn-3' }).waitFor();
    await user.close();
  } finally {
    await drawing.close();
  }
});

test('projects stand side by side, each with its own tabs', async () => {
  const user = await visit('projects', { colorScheme: 'dark' });
  await button(user.page, 'Menu').click();
  await user.page.getByRole('menuitem', { name: 'New project…' }).click();
  await user.page.getByRole('textbox', { name: 'Name' }).fill('second-project');
  await user.page.getByRole('textbox', { name: /^Directory/ }).fill('/usr');
  await user.page.keyboard.press('Enter');
  await user.page.getByRole('tablist', { name: 'Project second-project' }).getByRole('tab').waitFor();
  await user.connected();
  await user.run('pwd');
  await user.line(/^\/usr$/);
  assert.match(user.page.url(), /#\/second-project\//);
  await user.screenshot('page-projects');
  await user.close();
});

for (const scheme of ['light', 'dark']) {
  test(`it follows the ${scheme} colours of the system, and the choice of the user`, async () => {
    const user = await visit(`scheme-${scheme}`, { colorScheme: scheme });
    const dark = () => user.page.evaluate(() => {
      const [red] = /\d+/.exec(getComputedStyle(document.body).backgroundColor);
      return Number(red) < 128 && window.terminalService.active().term.options.theme.background !== '#ffffff';
    });
    assert.equal(await dark(), scheme === 'dark');
    await user.run("for i in 31 32 33 34 35 36; do printf '\\033[%smcolour %s  ' $i $i; done; echo; ls --color=always /");
    await user.line(/colour 36/);
    await user.screenshot(`page-${scheme}`);
    const toggle = button(user.page, /^Theme/);
    while (!(await toggle.getAttribute('aria-label')).endsWith(scheme === 'dark' ? 'light' : 'dark')) await toggle.click();
    assert.equal(await dark(), scheme !== 'dark');
    await user.close();
  });
}

test('it works at a width of 320 pixels, by touch', async () => {
  const user = await visit('narrow', { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true, colorScheme: 'dark' });
  const { page } = user;
  await user.run('echo narrow-$((2*2))');
  await user.line(/^narrow-4$/);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
  await page.getByRole('button', { name: 'New terminal (Alt+Shift+N)' }).tap();
  const select = page.getByRole('combobox', { name: 'Terminal' });
  await until(async () => (await select.locator('option').count()) === 2, 'two terminals to select from');
  await user.connected();
  await user.type('cat');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Control for the next key' }).tap();
  await user.type('c'); // that is Ctrl-C
  await user.run('echo interrupted-$((3*3))');
  await user.line(/^interrupted-9$/);
  await page.getByRole('button', { name: 'Up' }).tap();
  await user.line(/echo interrupted-\$\(\(3\*3\)\)$/);
  await user.screenshot('page-320');
  await user.close();
});

test('a service that asks for a token gets it from the user, once per browser tab', async () => {
  const token = 'a-token-for-the-browser-test';
  const guarded = await Service.start({ TERMINAL_TOKEN: token });
  try {
    const user = await Visit.open(browser, guarded, '/', { connect: false });
    const field = user.page.getByLabel('Token', { exact: false }).and(user.page.locator('input'));
    await field.fill('wrong-but-long-enough');
    await user.page.keyboard.press('Enter');
    await field.fill(token);
    await user.page.keyboard.press('Enter');
    await user.connected();
    await user.run('echo let-in-$((1+1))');
    await user.line(/^let-in-2$/);
    await user.page.reload();
    await user.connected();
    await user.line(/^let-in-2$/);
    assert.ok(!user.page.url().includes(token));
    await user.close({ connectionFaults: true });
  } finally {
    await guarded.stop();
  }
});
