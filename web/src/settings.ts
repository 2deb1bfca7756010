// The user's choices on this browser.

import { load, save } from './storage';

export type ThemeChoice = 'auto' | 'light' | 'dark';

export interface Settings {
  theme: ThemeChoice;
  fontSize: number; // CSS pixels
  cursorBlink: boolean;
  /** Draw by WebGL: only with a graphics card behind it, always, never. */
  webgl: 'auto' | 'always' | 'never';
  /** Programs may write the clipboard (OSC 52). Reading it is never allowed. */
  clipboardWrite: boolean;
}

const kKey = 'terminal.settings';
const kDefaults: Settings = { theme: 'auto', fontSize: 14, cursorBlink: true, webgl: 'auto', clipboardWrite: false };

export const settings: Settings = { ...kDefaults, ...load<Partial<Settings>>(kKey, {}) };
const listeners = new Set<() => void>();

export function changeSettings(change: Partial<Settings>): void {
  Object.assign(settings, change);
  save(kKey, settings);
  for (const listener of listeners) listener();
}

export function onSettingsChange(listener: () => void): void {
  listeners.add(listener);
}
