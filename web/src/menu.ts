// A drop-down menu: arrow keys move, Escape closes and gives the focus back.

import { h } from './dom';

export interface MenuItem {
  label: string;
  keys?: string;
  run: () => void;
  disabled?: boolean;
}

/** Opens below `anchor`. A null stands for a line between items. */
export function openMenu(anchor: HTMLElement, items: (MenuItem | null)[]): void {
  const close = (focusAnchor: boolean) => {
    document.removeEventListener('pointerdown', outside, true);
    menu.remove();
    anchor.setAttribute('aria-expanded', 'false');
    if (focusAnchor) anchor.focus();
  };
  const menu = h(
    'div',
    { class: 'menu', role: 'menu' },
    ...items.map((item) =>
      item === null
        ? h('div', { role: 'separator' })
        : h(
            'button',
            {
              type: 'button',
              role: 'menuitem',
              tabindex: -1,
              disabled: item.disabled,
              click: () => {
                close(true);
                item.run();
              },
            },
            h('span', {}, item.label),
            item.keys && h('kbd', {}, item.keys),
          ),
    ),
  );
  const entries = () => [...menu.querySelectorAll<HTMLElement>('[role="menuitem"]:not([disabled])')];
  menu.addEventListener('keydown', (event) => {
    const all = entries();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (next !== undefined) all[next % all.length]?.focus();
    else if (event.key === 'Escape') close(true);
    else if (event.key === 'Tab') return close(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const outside = (event: Event) => {
    if (!menu.contains(event.target as Node) && !anchor.contains(event.target as Node)) close(false);
  };
  document.addEventListener('pointerdown', outside, true);
  anchor.setAttribute('aria-expanded', 'true');
  const { bottom, right } = anchor.getBoundingClientRect();
  menu.style.top = `${bottom + 6}px`;
  menu.style.right = `${Math.max(8, innerWidth - right)}px`;
  anchor.after(menu);
  entries()[0]?.focus();
}
