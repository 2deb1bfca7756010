// The page's own keys. They are taken before the terminal sees them; everything else is the shell's.

export interface Shortcut {
  keys: string; // as shown: "Ctrl+Shift+F"
  does: string;
  /** Returns false if the key is left to the browser after all. */
  run?: () => boolean | void;
}

/** Listens for the shortcuts that have something to run. A dialog that is open comes first. */
export function listenForShortcuts(shortcuts: Shortcut[]): void {
  const byKeys = new Map(shortcuts.filter(({ run }) => run).map((shortcut) => [shortcut.keys, shortcut]));
  document.addEventListener(
    'keydown',
    (event) => {
      const shortcut = byKeys.get(name(event));
      if (!shortcut || document.querySelector('dialog[open]')) return;
      if (shortcut.run?.() === false) return;
      event.preventDefault();
      event.stopPropagation();
    },
    { capture: true },
  );
}

/** By position of the key, so that it is the same on every layout. */
function name(event: KeyboardEvent): string {
  const key = event.code.replace(/^Key/, '').replace(/^Arrow/, '');
  return [event.ctrlKey && 'Ctrl', event.altKey && 'Alt', event.metaKey && 'Meta', event.shiftKey && 'Shift', key]
    .filter(Boolean)
    .join('+');
}
