// Finding text in the scrollback of the session in front.

import { h, icon, iconButton } from './dom';
import type { SessionView } from './session_view';
import { searchColours } from './theme';

export class SearchBox {
  readonly element: HTMLElement;
  private readonly input = h('input', { type: 'text', 'aria-label': 'Find', placeholder: 'Find', spellcheck: 'false', autocomplete: 'off' });
  private readonly count = h('span', { class: 'count', role: 'status' });
  private readonly exactCase = toggle('Aa', 'Match case', () => this.find(1, true));
  private readonly regex = toggle('.*', 'Regular expression', () => this.find(1, true));
  private view: SessionView | undefined;
  private watching: { dispose(): void } | undefined;

  constructor() {
    this.element = h(
      'div',
      { class: 'search', role: 'search', hidden: true, keydown: (event: KeyboardEvent) => this.key(event) },
      icon('search'),
      this.input,
      this.count,
      this.exactCase,
      this.regex,
      iconButton('up', 'Previous match', () => this.find(-1)),
      iconButton('down', 'Next match', () => this.find(1)),
      iconButton('close', 'Close search', () => this.close()),
    );
    this.input.addEventListener('input', () => this.find(1, true));
  }

  open(view: SessionView): void {
    this.attach(view);
    this.element.hidden = false;
    const selected = view.screen.term.getSelection();
    if (selected && !selected.includes('\n')) this.input.value = selected;
    this.input.focus();
    this.input.select();
    this.find(1, true);
  }

  close(): void {
    if (this.element.hidden) return;
    this.element.hidden = true;
    this.detach();
    this.view?.focus();
  }

  /** Another tab came to the front: search goes on there, or is closed. */
  follow(view: SessionView | undefined): void {
    if (this.element.hidden || view === this.view) return;
    this.detach();
    if (view) this.attach(view);
    else this.element.hidden = true;
  }

  private attach(view: SessionView): void {
    this.detach();
    this.view = view;
    this.watching = view.screen.search.onDidChangeResults(({ resultIndex, resultCount }) => {
      this.count.textContent = resultCount ? `${resultIndex + 1} of ${resultCount}` : this.input.value ? 'none' : '';
    });
  }

  private detach(): void {
    this.watching?.dispose();
    this.watching = undefined;
    this.view?.screen.search.clearDecorations();
  }

  private find(direction: 1 | -1, incremental = false): void {
    const search = this.view?.screen.search;
    if (!search) return;
    this.input.classList.remove('invalid');
    if (!this.input.value) {
      search.clearDecorations();
      this.count.textContent = '';
      return;
    }
    const options = {
      caseSensitive: isOn(this.exactCase),
      regex: isOn(this.regex),
      incremental,
      decorations: searchColours(),
    };
    try {
      if (options.regex) new RegExp(this.input.value);
      if (direction > 0) search.findNext(this.input.value, options);
      else search.findPrevious(this.input.value, { ...options, incremental: false });
    } catch {
      this.input.classList.add('invalid');
      this.count.textContent = 'not a pattern';
    }
  }

  private key(event: KeyboardEvent): void {
    if (event.key === 'Escape') this.close();
    else if (event.key === 'Enter' && event.target === this.input) this.find(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function toggle(text: string, label: string, changed: () => void): HTMLButtonElement {
  const button = h('button', { type: 'button', class: 'toggle', 'aria-pressed': 'false', 'aria-label': label, title: label }, text);
  button.addEventListener('click', () => {
    button.setAttribute('aria-pressed', isOn(button) ? 'false' : 'true');
    changed();
  });
  return button;
}

function isOn(button: HTMLElement): boolean {
  return button.getAttribute('aria-pressed') === 'true';
}
