// What lies over a session that is not coming back by itself: why, and what can be done.

import type { ClientState } from './client';
import { h } from './dom';

export interface EndCardActions {
  newShell(): void;
  closeTab(): void;
  retry(): void;
  enterToken(reason: string): void;
}

export class EndCard {
  readonly element = h('div', { class: 'end-card', role: 'alert', hidden: true });

  constructor(private readonly actions: EndCardActions) {}

  /** Puts the focus on the first button; false if there is nothing to decide. */
  focus(): boolean {
    if (this.element.hidden) return false;
    this.element.querySelector('button')?.focus();
    return true;
  }

  show(state: ClientState): void {
    const hadFocus = this.element.parentElement?.contains(document.activeElement) ?? false;
    this.element.hidden = !(state.name === 'ended' || state.name === 'refused' || state.name === 'failed');
    if (this.element.hidden) return;
    const { newShell, closeTab, retry, enterToken } = this.actions;
    const buttons: HTMLElement[] = [];
    if (state.name === 'ended') buttons.push(button('New terminal', newShell, true));
    else if (state.name === 'refused' && state.token) buttons.push(button('Enter a token', () => enterToken(state.reason), true));
    else buttons.push(button('Try again', retry, true));
    buttons.push(button('Close tab', closeTab));
    this.element.replaceChildren(h('p', {}, describe(state)), h('div', { class: 'buttons' }, ...buttons));
    if (hadFocus) this.focus();
  }
}

function button(label: string, click: () => void, primary = false): HTMLElement {
  return h('button', { type: 'button', class: primary ? 'button primary' : 'button', click }, label);
}

function describe(state: ClientState): string {
  if (state.name === 'refused') return `The service refused the connection: ${state.reason}`;
  if (state.name === 'failed') return `No terminal here: ${state.reason}`;
  if (state.name !== 'ended') return '';
  if (state.why === 'gone') return 'This session does not exist any more.';
  if (state.exit?.signal) return `The shell was ended by ${state.exit.signal}.`;
  if (state.exit?.code !== undefined) return `The shell ended with exit code ${state.exit.code}.`;
  return state.why === 'closed' ? 'The session was closed elsewhere.' : 'The session has ended.';
}
