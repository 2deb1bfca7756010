// The page as a whole: which sessions there are, which are open, and what the user does with them.

import { ApiError, createSession, endSession, listSessions, renameSession, type SessionSummary } from './api';
import type { Notice, NoticeKind } from './client';
import { confirmDialog, formDialog, setFocusHome } from './dialogs';
import { h } from './dom';
import { KeyBar } from './key_bar';
import { Notices } from './notices';
import { formatAddress, OpenTabs, parseAddress, type RememberedTabs, type Tab } from './open_tabs';
import { sessionsDialog } from './page_dialogs';
import { SearchBox } from './search_box';
import { SessionView } from './session_view';
import { onSettingsChange } from './settings';
import { StatusLine } from './status_line';
import { load, save, token } from './storage';
import { TabStrip, type Mark } from './tab_strip';
import { onThemeChange } from './theme';
import { buildToolbar } from './toolbar';

const kTabsKey = 'terminal.tabs';
const kFirstProject = 'default';
const kPollMs = 4000;
const kFitDelayMs = 80;
const kOpenedAtFirst = 8; // tabs on the first visit, when nothing is remembered

// A service that has us again says anew what still holds.
const kUntilConnected: NoticeKind[] = ['restarting', 'draining', 'maintenance'];
const kNoticeText: Record<NoticeKind, string> = {
  maintenance: 'The service is under maintenance. Your shells go on.',
  draining: 'This service is being drained; you will be moved.',
  restarting: 'The service is restarting. Your shells go on, and so will this page.',
  limit: 'A limit of the service was reached.',
  engine: '',
};

export class App {
  readonly notices = new Notices();
  readonly search = new SearchBox();
  readonly views = new Map<string, SessionView>();
  private readonly tabs = new OpenTabs(load<RememberedTabs>(kTabsKey, { tabs: [] }));
  private readonly unread = new Set<string>();
  private readonly names = new Map<string, string>();
  private readonly status = new StatusLine();
  private readonly stage = h('main', { class: 'stage' });
  private readonly empty = h('div', { class: 'empty', hidden: true });
  private readonly strip: TabStrip;
  private sessions: SessionSummary[] = [];
  private pollTimer: ReturnType<typeof setTimeout> | undefined;
  private fitTimer: ReturnType<typeof setTimeout> | undefined;
  private shown: SessionView | undefined;
  private refusal = ''; // what the service answered instead of the list
  private waitsForService = false;

  constructor() {
    this.strip = new TabStrip(this.tabs, {
      activate: (id, byKeyboard) => this.activate(id, byKeyboard ? 'tab' : 'terminal'),
      close: (id) => void this.askToClose(id),
      rename: (id) => void this.askToRename(id),
      name: (tab) => this.nameOf(tab.id),
      mark: (tab) => this.markOf(tab.id),
    });
  }

  async start(): Promise<void> {
    this.empty.append(
      h('p', {}, 'No terminal is open.'),
      h('div', { class: 'buttons' },
        h('button', { type: 'button', class: 'button primary', click: () => void this.newTerminal() }, 'New terminal'),
        h('button', { type: 'button', class: 'button', click: () => void this.showSessions() }, 'All sessions')),
    );
    this.stage.append(this.empty, this.search.element);
    const bar = h('header', { class: 'bar' }, this.strip.element, buildToolbar(this));
    document.body.append(bar, this.notices.element, this.stage, new KeyBar(() => this.shown).element, this.status.element);
    setFocusHome(() => this.shown?.focus());
    new ResizeObserver(() => this.fitSoon()).observe(this.stage);
    for (const listen of [onThemeChange, onSettingsChange]) {
      listen(() => this.views.forEach((view) => view.applySettings()));
    }
    this.listenToWindow();
    await this.openFirstTabs();
    this.poll();
  }

  /** The session in front. */
  get front(): SessionView | undefined {
    return this.shown;
  }

  focusTabs(): void {
    this.strip.focus();
  }

  /** The tab `steps` to the right of the one in front. */
  step(steps: number): void {
    const next = this.tabs.active && this.tabs.beside(this.tabs.active, steps);
    if (next) this.activate(next);
  }

  async newTerminal(project = this.tabs.activeTab?.project ?? kFirstProject, path?: string): Promise<void> {
    await this.attempt(async () => {
      const session = await createSession(project, path);
      this.remember(session);
      this.open({ id: session.id, project: session.projectId });
      if (this.shown?.tab.id === session.id) this.shown.fresh = true;
    });
  }

  async newProject(): Promise<void> {
    const answers = await formDialog('New project', [
      { name: 'project', label: 'Name', required: true, maxLength: 128, pattern: '[A-Za-z0-9_.\\-]+', hint: 'Letters, digits, “_”, “.” and “-”.' },
      { name: 'path', label: 'Directory', hint: 'Where its shells start. Empty: the service’s own.' },
    ], 'Create');
    if (answers?.project) await this.newTerminal(answers.project, answers.path);
  }

  async showSessions(): Promise<void> {
    await this.refresh();
    sessionsDialog(this.sessions, {
      open: ({ id, projectId }) => this.open({ id, project: projectId }),
      newProject: () => void this.newProject(),
      isOpen: (id) => this.tabs.has(id),
    });
  }

  async askToRename(id = this.tabs.active): Promise<void> {
    if (!id) return;
    const answers = await formDialog('Rename terminal', [
      { name: 'name', label: 'Name', value: this.nameOf(id), required: true, maxLength: 100 },
    ], 'Rename');
    if (!answers?.name) return;
    const { name } = answers;
    await this.attempt(async () => {
      await renameSession(id, name);
      this.names.set(id, name);
      this.render();
      await this.refresh();
    });
  }

  async askToClose(id = this.tabs.active): Promise<void> {
    if (!id) return;
    const over = this.views.get(id)?.state.name === 'ended';
    const answer = over ? 'keep' : await confirmDialog({
      title: `Close “${this.nameOf(id)}”?`,
      text: 'Ending the session ends its shell and everything that runs in it. Closing only the tab leaves it running; you find it again under “All sessions”.',
      actions: [
        { value: 'keep', label: 'Close the tab only' },
        { value: 'end', label: 'End the session', kind: 'danger' },
      ],
    });
    if (answer === 'keep') this.closeTab(id);
    if (answer !== 'end') return;
    await this.attempt(async () => {
      await endSession(id);
      this.sessions = this.sessions.filter((session) => session.id !== id);
      this.closeTab(id);
    });
  }

  async askForToken(view: SessionView | undefined, reason: string): Promise<void> {
    const answers = await formDialog('Access token', [
      { name: 'token', label: 'Token', type: 'password', required: true, hint: `${reason}. Kept until this browser tab is closed.` },
    ], 'Connect');
    if (!answers?.token) return;
    token.set(answers.token);
    for (const refused of this.views.values()) {
      if (refused.state.name === 'refused') refused.reconnect();
    }
    this.notices.hide('api');
    if (!view) await this.openFirstTabs();
  }

  /** At the start, and again as long as there was no answer and nothing is open. */
  private async openFirstTabs(): Promise<void> {
    const address = parseAddress(location.hash);
    const listed = await this.refresh();
    if (!listed && this.refusal) void this.askForToken(undefined, this.refusal);
    if (listed) {
      const known = new Set(this.sessions.map(({ id }) => id));
      for (const { id } of [...this.tabs.all]) if (!known.has(id)) this.tabs.remove(id);
      if (!this.tabs.all.length && !address) {
        for (const { id, projectId } of this.sessions.slice(0, kOpenedAtFirst)) this.tabs.add({ id, project: projectId });
      }
    }
    if (address) return this.open(address, true);
    if (this.tabs.active) return this.activate(this.tabs.active);
    if (listed) await this.newTerminal(kFirstProject);
    this.waitsForService = !listed;
    this.render();
  }

  private open(tab: Tab, create = false): void {
    const listed = this.sessions.find(({ id }) => id === tab.id);
    this.tabs.add(listed ? { id: tab.id, project: listed.projectId } : tab);
    this.activate(tab.id, 'terminal', create && !listed);
  }

  private activate(id: string, focus: 'terminal' | 'tab' = 'terminal', create = false): void {
    this.tabs.activate(id);
    const tab = this.tabs.activeTab;
    if (!tab) return;
    const previous = this.shown;
    if (previous && previous.tab.id !== id) {
      previous.hide();
      previous.client.focus(false);
    }
    const view = this.views.get(id) ?? this.createView(tab, create);
    this.shown = view;
    this.unread.delete(id);
    view.show();
    view.client.focus(true);
    history.replaceState(null, '', formatAddress(tab));
    this.search.follow(view);
    this.render();
    if (focus === 'tab') this.strip.focus();
    else if (!document.querySelector('dialog[open]')) view.focus();
  }

  private createView(tab: Tab, create: boolean): SessionView {
    const view = new SessionView(tab, this.stage, {
      changed: () => this.render(),
      stateChanged: ({ state: { name } }) => {
        if (name === 'connected') for (const key of kUntilConnected) this.notices.hide(key);
        if (name === 'ended') void this.refresh();
        this.render();
      },
      named: ({ tab: { id } }, name) => void this.names.set(id, name),
      notice: (notice) => this.noticed(notice),
      warn: (text) => this.notices.show({ key: text, text, tone: 'warn', staysMs: 15_000 }),
      activity: (from) => {
        if (this.unread.has(from.tab.id)) return;
        this.unread.add(from.tab.id);
        this.strip.render();
      },
      newShell: (ended) => void this.newTerminal(ended.tab.project).then(() => this.closeTab(ended.tab.id)),
      closeTab: (closed) => this.closeTab(closed.tab.id),
      askForToken: (refused, reason) => void this.askForToken(refused, reason),
    }, create);
    this.views.set(tab.id, view);
    return view;
  }

  private closeTab(id: string): void {
    const wasFront = this.shown?.tab.id === id;
    this.views.get(id)?.dispose();
    this.views.delete(id);
    this.tabs.remove(id);
    if (wasFront) {
      this.shown = undefined;
      this.search.follow(undefined);
      if (this.tabs.active) return this.activate(this.tabs.active);
      history.replaceState(null, '', location.pathname);
    }
    this.render();
  }

  private noticed(notice: Notice): void {
    if (notice.kind === 'engine') return; // the status line says it
    const passing = notice.kind === 'restarting' || notice.over;
    const text = notice.message || kNoticeText[notice.kind];
    const eta = notice.eta ? ` Expected: ${notice.eta}.` : '';
    if (!text) return;
    this.notices.show({
      key: notice.kind,
      text: text + eta,
      tone: passing ? 'calm' : 'warn',
      ...(passing ? { staysMs: 15_000 } : {}), // a hand-over that keeps the connection says no more
    });
  }

  private render(): void {
    this.strip.render();
    this.status.show(this.shown);
    this.empty.hidden = this.shown !== undefined;
    const tab = this.tabs.activeTab;
    document.title = this.shown?.title || (tab ? `${this.nameOf(tab.id)} · ${tab.project}` : 'Terminal');
    save(kTabsKey, this.tabs);
  }

  private nameOf(id: string): string {
    return this.names.get(id) || id;
  }

  private markOf(id: string): Mark {
    const state = this.views.get(id)?.state.name;
    if (state === 'ended') return 'ended';
    if (state && state !== 'connected') return 'waiting';
    return this.unread.has(id) ? 'unread' : 'none';
  }

  private remember(session: SessionSummary): void {
    this.sessions = [...this.sessions.filter(({ id }) => id !== session.id), session];
    this.names.set(session.id, session.tabName);
  }

  /** Runs what can be refused, and says so if it was. */
  private async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
      this.notices.hide('api');
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      this.notices.show({
        key: 'api',
        text: capital(error instanceof Error ? error.message : String(error)) + '.',
        tone: 'warn',
        ...(refused ? { action: { label: 'Enter a token', run: () => void this.askForToken(undefined, (error as Error).message) } } : { staysMs: 15_000 }),
      });
    }
  }

  /** Asks for the list. False if there was none; what is known stays then. */
  private async refresh(): Promise<boolean> {
    try {
      this.sessions = await listSessions();
      this.refusal = '';
    } catch (error) {
      // A service that is away shows in the status line; a refusal shows nowhere else. Once is enough.
      const refusal = error instanceof ApiError && error.status !== 0 ? error.message : this.refusal;
      if (refusal !== this.refusal) await this.attempt(() => Promise.reject(error));
      this.refusal = refusal;
      return false;
    }
    for (const { id, tabName } of this.sessions) this.names.set(id, tabName);
    this.render();
    return true;
  }

  private poll(): void {
    clearTimeout(this.pollTimer);
    this.pollTimer = setTimeout(async () => {
      if (!document.hidden) await (this.waitsForService && !this.refusal ? this.openFirstTabs() : this.refresh());
      this.poll();
    }, kPollMs);
  }

  private fitSoon(): void {
    clearTimeout(this.fitTimer);
    this.fitTimer = setTimeout(() => this.shown?.fit(), kFitDelayMs);
  }

  private listenToWindow(): void {
    addEventListener('hashchange', () => {
      const address = parseAddress(location.hash);
      if (address) this.open(address, true);
    });
    addEventListener('focus', () => this.shown?.fit());
    addEventListener('online', () => this.wake());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.wake();
    });
    addEventListener('beforeunload', (event) => {
      const unsent = [...this.views.values()].some((view) => view.state.name !== 'ended' && view.client.unacknowledged > 0);
      if (unsent) event.preventDefault(); // what was typed lives only in this page
    });
  }

  /** The machine or the network is back: no need to wait any longer. */
  private wake(): void {
    for (const { state, client } of this.views.values()) {
      if (state.name === 'waiting') client.start();
      else if (state.name === 'connected') client.ping();
    }
    void this.refresh();
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
