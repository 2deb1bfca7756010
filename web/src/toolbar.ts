// The buttons at the right end of the bar, the menu behind the last of them, and the shortcuts.

import type { App } from './app';
import { h, icon, iconButton } from './dom';
import { openMenu } from './menu';
import { helpDialog, settingsDialog } from './page_dialogs';
import { changeSettings, settings, type ThemeChoice } from './settings';
import { listenForShortcuts, type Shortcut } from './shortcuts';
import { onThemeChange } from './theme';

const kNextTheme: Record<ThemeChoice, ThemeChoice> = { auto: 'light', light: 'dark', dark: 'auto' };
const kThemeName: Record<ThemeChoice, string> = { auto: 'as the system', light: 'light', dark: 'dark' };
const kThemeIcon = { auto: 'auto', light: 'sun', dark: 'moon' } as const;

export function buildToolbar(app: App): HTMLElement {
  const shortcuts = shortcutsOf(app);
  listenForShortcuts(shortcuts);

  const theme = iconButton('auto', '', () => changeSettings({ theme: kNextTheme[settings.theme] }), { class: 'icon-button wide-only' });
  const showTheme = () => {
    const label = `Theme: ${kThemeName[settings.theme]}`;
    theme.replaceChildren(icon(kThemeIcon[settings.theme]));
    theme.title = label;
    theme.setAttribute('aria-label', label);
  };
  onThemeChange(showTheme);
  showTheme();

  const more = iconButton('more', 'Menu', () => {
    if (more.getAttribute('aria-expanded') === 'true') return;
    const none = !app.front;
    openMenu(more, [
      { label: 'New terminal', keys: 'Alt+Shift+N', run: () => void app.newTerminal() },
      { label: 'New project…', run: () => void app.newProject() },
      { label: 'All sessions…', keys: 'Alt+Shift+O', run: () => void app.showSessions() },
      null,
      { label: 'Rename…', keys: 'Alt+Shift+R', run: () => void app.askToRename(), disabled: none },
      { label: 'Find…', keys: 'Ctrl+Shift+F', run: () => app.front && app.search.open(app.front), disabled: none },
      ...(app.front?.suspended ? [{ label: 'Resume project', run: () => app.front?.client.resume() }] : []),
      { label: 'Close…', keys: 'Alt+Shift+W', run: () => void app.askToClose(), disabled: none },
      null,
      { label: `Theme: ${kThemeName[settings.theme]}`, run: () => changeSettings({ theme: kNextTheme[settings.theme] }) },
      { label: 'Settings…', run: settingsDialog },
      { label: 'Keyboard shortcuts…', keys: 'Alt+Shift+H', run: () => helpDialog(shortcuts) },
    ]);
  }, { 'aria-haspopup': 'menu', 'aria-expanded': 'false' });

  return h(
    'div',
    { class: 'tools', role: 'toolbar', 'aria-label': 'Terminal tools' },
    iconButton('plus', 'New terminal (Alt+Shift+N)', () => void app.newTerminal()),
    iconButton('list', 'All sessions (Alt+Shift+O)', () => void app.showSessions()),
    iconButton('search', 'Find (Ctrl+Shift+F)', () => app.front && app.search.open(app.front), { class: 'icon-button wide-only' }),
    theme,
    more,
  );
}

function shortcutsOf(app: App): Shortcut[] {
  const shortcuts: Shortcut[] = [
    { keys: 'Ctrl+Shift+F', does: 'Find in the scrollback', run: () => app.front && app.search.open(app.front) },
    { keys: 'Ctrl+Shift+C', does: 'Copy the selection', run: () => copySelection(app) },
    { keys: 'Ctrl+Shift+V', does: 'Paste', run: () => false }, // the browser's own paste reaches the terminal
    { keys: 'Alt+Shift+N', does: 'New terminal', run: () => void app.newTerminal() },
    { keys: 'Alt+Shift+O', does: 'All sessions', run: () => void app.showSessions() },
    { keys: 'Alt+Shift+Left', does: 'Previous tab', run: () => app.step(-1) },
    { keys: 'Alt+Shift+Right', does: 'Next tab', run: () => app.step(1) },
    { keys: 'Alt+Shift+R', does: 'Rename the terminal', run: () => void app.askToRename() },
    { keys: 'Alt+Shift+W', does: 'Close the terminal', run: () => void app.askToClose() },
    { keys: 'Alt+Shift+M', does: 'Move the focus to the tabs; from there, arrow keys, Delete and F2', run: () => app.focusTabs() },
    { keys: 'Alt+Shift+H', does: 'This list', run: () => helpDialog(shortcuts) },
    { keys: 'Escape', does: 'Close a dialog, the menu or the search; the focus returns to the terminal' },
  ];
  return shortcuts;
}

/** Without a selection the key is swallowed all the same: the browser would open its inspector. */
function copySelection(app: App): void {
  const text = app.front?.screen.term.getSelection();
  if (!text) return;
  if (navigator.clipboard) void navigator.clipboard.writeText(text).catch(() => document.execCommand('copy'));
  else document.execCommand('copy');
}
