// How the page looks and is handled: search, clipboard, keyboard, themes, small screens, tokens.
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

/** Opens the page at a session of its own. */
const visit = (session, options) => Visit.open(browser, service, `/#/e2e/${session}`, options);
const button = (page, name) => page.getByRole('button', { name });

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
