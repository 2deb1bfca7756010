// One open session: its screen, its client, and what the two have to tell the page.

import { TerminalClient, type ClientState, type Notice } from './client';
import { h } from './dom';
import { EndCard } from './end_card';
import { openAddress, Screen } from './screen';
import { token } from './storage';
import type { Tab } from './open_tabs';
import { confirmDialog } from './dialogs';

const kTitleLimit = 256;

export interface ViewHooks {
  /** Size, latency, title or engines changed. */
  changed(view: SessionView): void;
  stateChanged(view: SessionView): void;
  named(view: SessionView, name: string): void;
  notice(notice: Notice): void;
  warn(message: string): void;
  /** Bytes came in; the tab shows that if it is not in front. */
  activity(view: SessionView): void;
  newShell(view: SessionView): void;
  closeTab(view: SessionView): void;
  askForToken(view: SessionView, reason: string): void;
}

export class SessionView {
  readonly element: HTMLElement;
  readonly screen: Screen;
  readonly client: TerminalClient;
  title = '';
  latency: number | undefined;
  suspended = false;
  /** This page has just had the shell started, and has been connected ever since. */
  fresh = false;
  /** The size is another viewer's, not the one that fills this window. */
  foreignSize = false;
  /** Set by the mobile key bar: the next key is typed with Ctrl. */
  ctrlNext = false;
  onCtrlUsed: (() => void) | undefined;
  private readonly endCard: EndCard;
  private front = false;

  /** Shows itself in `parent` and connects. `create`: the session may be a new one. */
  constructor(readonly tab: Tab, parent: HTMLElement, private readonly hooks: ViewHooks, create: boolean) {
    const mount = h('div', { class: 'screen' });
    this.element = h(
      'section',
      { class: 'pane', role: 'tabpanel', id: `panel-${tab.id}`, 'aria-labelledby': `tab-${tab.id}` },
      mount,
    );
    parent.append(this.element);
    this.screen = new Screen(mount, { askToOpen: (address) => void this.askToOpen(address) });
    const { term } = this.screen;
    const size = this.screen.fittingSize() ?? { cols: 80, rows: 24 };
    term.resize(size.cols, size.rows);
    this.client = new TerminalClient({
      url: location.origin.replace(/^http/, 'ws'),
      session: tab.id,
      project: tab.project,
      create,
      ...size,
      ...(token.get() ? { token: token.get() } : {}),
    });
    this.endCard = new EndCard({
      newShell: () => hooks.newShell(this),
      closeTab: () => hooks.closeTab(this),
      retry: () => this.reconnect(),
      enterToken: (reason) => hooks.askForToken(this, reason),
    });
    this.element.append(this.endCard.element);
    this.listen();
    this.client.start();
  }

  get state(): ClientState {
    return this.client.state;
  }

  show(): void {
    this.front = true;
    this.element.hidden = false;
    this.screen.useGpu();
    this.fit();
  }

  hide(): void {
    this.front = false;
    this.element.hidden = true;
    this.screen.releaseGpu();
  }

  focus(): void {
    if (!this.endCard.focus()) this.screen.term.focus();
  }

  /** Takes the size of the window and tells the shell. */
  fit(): void {
    if (!this.front) return;
    const size = this.screen.fittingSize();
    if (!size) return;
    this.foreignSize = false;
    this.screen.term.resize(size.cols, size.rows);
    this.client.resize(size.cols, size.rows);
    this.hooks.changed(this);
  }

  reconnect(): void {
    if (token.get()) this.client.setToken(token.get());
    this.client.start();
  }

  /** Types what a key of the key bar stands for. */
  type(data: string): void {
    this.send(data);
    this.screen.term.focus();
  }

  applySettings(): void {
    this.screen.applySettings();
    if (this.front) this.screen.useGpu();
    this.fit();
  }

  dispose(): void {
    this.client.stop();
    this.screen.dispose();
    this.element.remove();
  }

  private listen(): void {
    const { client } = this;
    const { term } = this.screen;
    const changed = () => this.hooks.changed(this);
    client.on('output', ({ bytes, done }) => {
      term.write(bytes, done);
      if (!this.front) this.hooks.activity(this);
    });
    client.on('reset', () => term.reset());
    // CAN ends whatever sequence the hole cut in two.
    client.on('gap', ({ from, to }) => {
      term.write('\x18');
      this.hooks.warn(`${(to - from).toLocaleString()} bytes of output were too old to be kept; the screen was painted anew.`);
    });
    client.on('resized', ({ cols, rows, mine }) => {
      this.foreignSize = !mine;
      term.resize(cols, rows);
      changed();
    });
    client.on('state', (state) => {
      if (state.name !== 'connected') this.latency = undefined;
      if (state.name === 'waiting') this.fresh = false;
      this.endCard.show(state);
      this.fit(); // the card takes its room from the screen
      this.hooks.stateChanged(this);
    });
    const record = ({ status, tabName }: { status?: string; tabName?: string }) => {
      if (status) this.suspended = status === 'suspended';
      if (tabName) this.hooks.named(this, tabName);
      changed();
    };
    client.on('status', record);
    client.on('session', record);
    client.on('engines', changed);
    client.on('latency', (ms) => {
      this.latency = ms;
      changed();
    });
    client.on('notice', (notice) => this.hooks.notice(notice));
    // The reason of a fatal one comes with the close, too.
    client.on('problem', ({ message, fatal }) => void (fatal || this.hooks.warn(message)));
    client.on('full', () =>
      this.hooks.warn('What you typed was not taken: too much is waiting for the connection already.'),
    );
    term.onData((data) => this.send(data));
    term.onBinary((data) => void client.input(Uint8Array.from(data, (char) => char.charCodeAt(0))));
    term.onTitleChange((title) => {
      this.title = title.slice(0, kTitleLimit);
      changed();
    });
  }

  private send(data: string): void {
    let keys = data;
    if (this.ctrlNext && /^[a-z@[\\\]^_ ?]$/i.test(data)) {
      keys = data === '?' ? '\x7f' : String.fromCharCode(data.toUpperCase().charCodeAt(0) & 0x1f);
    }
    if (this.ctrlNext) {
      this.ctrlNext = false;
      this.onCtrlUsed?.();
    }
    this.client.terminalData(keys);
  }

  private async askToOpen(address: string): Promise<void> {
    const answer = await confirmDialog({
      title: 'Open this link?',
      text: address,
      actions: [{ value: 'open', label: 'Open in a new tab', kind: 'primary' }],
    });
    if (answer === 'open') openAddress(address);
  }
}
