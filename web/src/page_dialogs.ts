// The page's dialogs that are more than a question: sessions, settings, help.

import type { SessionSummary } from './api';
import { openDialog } from './dialogs';
import { h } from './dom';
import { changeSettings, settings, type Settings, type ThemeChoice } from './settings';
import type { Shortcut } from './shortcuts';

export function helpDialog(shortcuts: Shortcut[]): void {
  const rows = shortcuts.map(({ keys, does }) => h('tr', {}, h('th', { scope: 'row' }, ...keyCaps(keys)), h('td', {}, does)));
  openDialog(
    'Keyboard shortcuts',
    h(
      'div',
      { class: 'dialog-body' },
      h('table', { class: 'keys' }, h('tbody', {}, ...rows)),
      h('p', { class: 'quiet' }, 'Every other key goes to the shell.'),
    ),
    'wide',
  );
}

function keyCaps(keys: string): Node[] {
  return keys.split('+').map((key) => h('kbd', {}, { Left: '←', Right: '→' }[key] ?? key));
}

export function settingsDialog(): void {
  const check = (name: keyof Settings & ('cursorBlink' | 'clipboardWrite'), label: string, hint = '') => {
    const input = h('input', {
      type: 'checkbox',
      checked: settings[name],
      change: () => changeSettings({ [name]: input.checked }),
    });
    return h('label', { class: 'check' }, input, h('span', {}, label, hint ? h('small', {}, hint) : undefined));
  };
  const theme = choice<ThemeChoice>(
    settings.theme,
    { auto: 'As the system', light: 'Light', dark: 'Dark' },
    (value) => changeSettings({ theme: value }),
  );
  const webgl = choice<Settings['webgl']>(
    settings.webgl,
    { auto: 'With the graphics card, if there is one', always: 'Always by WebGL', never: 'Without' },
    (value) => changeSettings({ webgl: value }),
  );
  const size = h('input', {
    type: 'number',
    min: 8,
    max: 32,
    value: settings.fontSize,
    change: () => {
      if (size.checkValidity()) changeSettings({ fontSize: Number(size.value) });
    },
  });
  openDialog(
    'Settings',
    h(
      'div',
      { class: 'dialog-body' },
      h('label', { class: 'field' }, h('span', {}, 'Theme'), theme),
      h('label', { class: 'field' }, h('span', {}, 'Font size'), size),
      h('label', { class: 'field' }, h('span', {}, 'Drawing'), webgl),
      check('cursorBlink', 'Blinking cursor'),
      check('clipboardWrite', 'Programs may write the clipboard', 'OSC 52. Programs can never read it.'),
    ),
  );
}

function choice<T extends string>(now: T, labels: Record<T, string>, changed: (value: T) => void): HTMLSelectElement {
  const select = h(
    'select',
    { change: () => changed(select.value as T) },
    ...Object.entries<string>(labels).map(([value, label]) => h('option', { value, selected: value === now }, label)),
  );
  return select;
}

export interface SessionsHooks {
  open(session: SessionSummary): void;
  newProject(): void;
  isOpen(id: string): boolean;
}

/** All sessions of the service, with a filter; a click opens one as a tab. */
export function sessionsDialog(sessions: SessionSummary[], hooks: SessionsHooks): void {
  const filter = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: 'Filter by name or project', 'aria-label': 'Filter', autofocus: true });
  const list = h('div', { class: 'session-list' });
  const render = () => {
    const words = filter.value.toLowerCase();
    const found = sessions
      .filter(({ tabName, projectId, id }) => `${tabName} ${projectId} ${id}`.toLowerCase().includes(words))
      .sort((a, b) => a.projectId.localeCompare(b.projectId) || a.createdAt.localeCompare(b.createdAt));
    const projects = [...new Set(found.map(({ projectId }) => projectId))];
    list.replaceChildren(
      ...projects.map((project) =>
        h('section', {}, h('h3', {}, project), ...found.filter(({ projectId }) => projectId === project).map(row)),
      ),
    );
    if (found.length === 0) list.append(h('p', { class: 'quiet' }, sessions.length ? 'Nothing matches.' : 'There are no sessions.'));
  };
  const row = (session: SessionSummary) =>
    h(
      'button',
      {
        type: 'button',
        class: 'session-row',
        click: () => {
          dialog.close();
          hooks.open(session);
        },
      },
      h('span', { class: 'session-name' }, session.tabName || session.id),
      h('span', { class: 'quiet' }, hooks.isOpen(session.id) ? 'open here' : session.status),
      h('time', { class: 'quiet', datetime: session.createdAt }, new Date(session.createdAt).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })),
    );
  filter.addEventListener('input', render);
  render();
  const newProject = h('button', {
    type: 'button',
    class: 'button',
    click: () => {
      dialog.close();
      hooks.newProject();
    },
  }, 'New project…');
  const dialog = openDialog('Sessions', h('div', { class: 'dialog-body' }, filter, list, h('div', { class: 'buttons' }, newProject)), 'wide');
}
