// Keys that a touch screen's keyboard lacks. Shown only where the pointer is a finger.

import { h } from './dom';
import type { SessionView } from './session_view';

export class KeyBar {
  readonly element = h('div', { class: 'key-bar', role: 'toolbar', 'aria-label': 'Extra keys' });
  private readonly ctrl = this.key('Ctrl', 'Control for the next key', (view) => {
    view.ctrlNext = !view.ctrlNext;
    view.onCtrlUsed = () => this.showCtrl(view);
    this.showCtrl(view);
    view.screen.term.focus();
  });

  constructor(private readonly view: () => SessionView | undefined) {
    const arrow = (label: string, name: string, letter: string) =>
      this.key(label, name, (front) =>
        front.type(`\x1b${front.screen.term.modes.applicationCursorKeysMode ? 'O' : '['}${letter}`),
      );
    this.ctrl.setAttribute('aria-pressed', 'false');
    this.element.append(
      this.key('Esc', 'Escape', (front) => front.type('\x1b')),
      this.key('Tab', 'Tab', (front) => front.type('\t')),
      this.ctrl,
      arrow('←', 'Left', 'D'),
      arrow('↑', 'Up', 'A'),
      arrow('↓', 'Down', 'B'),
      arrow('→', 'Right', 'C'),
      ...['-', '/', '|', '~'].map((char) => this.key(char, char, (front) => front.type(char))),
    );
  }

  private key(text: string, label: string, press: (view: SessionView) => void): HTMLButtonElement {
    return h(
      'button',
      {
        type: 'button',
        'aria-label': label,
        // The terminal keeps the focus, or the screen keyboard would go away.
        pointerdown: (event: Event) => event.preventDefault(),
        click: () => {
          const view = this.view();
          if (view) press(view);
        },
      },
      text,
    );
  }

  private showCtrl(view: SessionView): void {
    this.ctrl.setAttribute('aria-pressed', view.ctrlNext ? 'true' : 'false');
  }
}
