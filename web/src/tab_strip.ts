// The tabs, grouped by project; on narrow screens the same as a select.

import { h, icon } from './dom';
import type { OpenTabs, Tab } from './open_tabs';

/** What a tab shows of its session beside the name. */
export type Mark = 'none' | 'unread' | 'waiting' | 'ended';

export interface TabStripHooks {
  activate(id: string, byKeyboard: boolean): void;
  close(id: string): void;
  rename(id: string): void;
  name(tab: Tab): string;
  mark(tab: Tab): Mark;
}

const kMarkText: Record<Mark, string> = { none: '', unread: ', new output', waiting: ', not connected', ended: ', ended' };

export class TabStrip {
  readonly element = h('nav', { class: 'tabs', 'aria-label': 'Terminals' });
  private readonly strip = h('div', { class: 'strip' });
  private readonly select = h('select', { class: 'tab-select', 'aria-label': 'Terminal' });
  private shown = '';

  constructor(private readonly tabs: OpenTabs, private readonly hooks: TabStripHooks) {
    this.element.append(this.strip, this.select);
    this.strip.addEventListener('keydown', (event) => this.key(event));
    this.select.addEventListener('change', () => hooks.activate(this.select.value, false));
    // A wheel over the strip scrolls it sideways.
    this.strip.addEventListener('wheel', (event) => (this.strip.scrollLeft += event.deltaY), { passive: true });
  }

  /** Brings the strip up to date; keeps the focus where it was. */
  render(): void {
    const picture = JSON.stringify([this.tabs.active, this.tabs.all.map((tab) => [tab, this.hooks.name(tab), this.hooks.mark(tab)])]);
    if (picture === this.shown) return;
    this.shown = picture;
    const focused = (document.activeElement as HTMLElement | null)?.id;
    const groups = this.tabs.groups();
    this.strip.replaceChildren(...groups.map(({ project, tabs }) => this.group(project, tabs, groups.length > 1)));
    this.select.replaceChildren(
      ...groups.map(({ project, tabs }) =>
        h(
          'optgroup',
          { label: project },
          ...tabs.map((tab) => h('option', { value: tab.id, selected: tab.id === this.tabs.active }, this.hooks.name(tab))),
        ),
      ),
    );
    this.select.hidden = groups.length === 0;
    if (focused?.startsWith('tab-')) document.getElementById(focused)?.focus();
    this.activeElement()?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  focus(): void {
    if (this.strip.offsetParent) this.activeElement()?.focus();
    else this.select.focus();
  }

  private activeElement(): HTMLElement | null {
    return this.strip.querySelector('[aria-selected="true"]');
  }

  private group(project: string, tabs: Tab[], labelled: boolean): HTMLElement {
    return h(
      'div',
      { class: 'group' },
      labelled && h('span', { class: 'project', title: `Project ${project}`, 'aria-hidden': 'true' }, project),
      h('div', { role: 'tablist', 'aria-label': `Project ${project}` }, ...tabs.map((tab) => this.tab(tab))),
    );
  }

  private tab(tab: Tab): HTMLElement {
    const active = tab.id === this.tabs.active;
    const name = this.hooks.name(tab);
    const mark = this.hooks.mark(tab);
    // For the mouse only: the keyboard has Delete, and the menu has the command by name.
    const cross = h('span', {
      class: 'tab-close',
      title: 'Close',
      'aria-hidden': 'true',
      click: (event: MouseEvent) => {
        event.stopPropagation();
        this.hooks.close(tab.id);
      },
    }, icon('close'));
    return h(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `tab-${tab.id}`,
        class: `tab ${mark}`,
        title: `${name} — ${tab.project}`,
        'aria-selected': active ? 'true' : 'false',
        'aria-label': `${name}${kMarkText[mark]}`,
        'aria-controls': active ? `panel-${tab.id}` : undefined,
        tabindex: active ? 0 : -1,
        click: () => this.hooks.activate(tab.id, false),
        dblclick: () => this.hooks.rename(tab.id),
        auxclick: (event: MouseEvent) => event.button === 1 && this.hooks.close(tab.id),
      },
      h('span', { class: 'mark' }),
      h('span', { class: 'tab-name' }, name),
      cross,
    );
  }

  private key(event: KeyboardEvent): void {
    const id = (event.target as HTMLElement).id.replace(/^tab-/, '');
    const all = this.tabs.all;
    const target = {
      ArrowRight: this.tabs.beside(id, 1),
      ArrowLeft: this.tabs.beside(id, -1),
      Home: all[0]?.id,
      End: all[all.length - 1]?.id,
    }[event.key];
    if (target !== undefined) this.hooks.activate(target, true);
    else if (event.key === 'Delete') this.hooks.close(id);
    else if (event.key === 'F2') this.hooks.rename(id);
    else return;
    event.preventDefault();
  }
}
