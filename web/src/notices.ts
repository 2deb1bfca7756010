// Messages of the service for the user, in a bar of their own that never takes the focus.

import { h, iconButton } from './dom';

export type Tone = 'calm' | 'warn';

export interface Message {
  /** A later message with the same key takes the place of the earlier. */
  key: string;
  text: string;
  tone?: Tone;
  /** Milliseconds until it goes away by itself; 0 = it stays. */
  staysMs?: number;
  action?: { label: string; run: () => void };
}

export class Notices {
  readonly element = h('div', { class: 'notices', role: 'status', 'aria-live': 'polite' });
  private readonly shown = new Map<string, { element: HTMLElement; timer?: ReturnType<typeof setTimeout> }>();

  show(message: Message): void {
    this.hide(message.key);
    const { action } = message;
    const element = h(
      'div',
      { class: `notice ${message.tone ?? 'calm'}` },
      h('span', {}, message.text),
      action && h('button', { type: 'button', class: 'link', click: action.run }, action.label),
      iconButton('close', 'Dismiss', () => this.hide(message.key)),
    );
    this.element.append(element);
    const entry: { element: HTMLElement; timer?: ReturnType<typeof setTimeout> } = { element };
    if (message.staysMs) entry.timer = setTimeout(() => this.hide(message.key), message.staysMs);
    this.shown.set(message.key, entry);
  }

  hide(key: string): void {
    const entry = this.shown.get(key);
    clearTimeout(entry?.timer);
    entry?.element.remove();
    this.shown.delete(key);
  }
}
