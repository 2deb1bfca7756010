// Light and dark: the page's own colours are in styles/tokens.css, the terminal's are here.

import type { ITheme } from '@xterm/xterm';
import { onSettingsChange, settings } from './settings';

const kDark: ITheme = {
  background: '#11151a', foreground: '#dde3ea', cursor: '#5fc7b2', cursorAccent: '#11151a',
  selectionBackground: '#2f5068', selectionInactiveBackground: '#3a5064',
  black: '#2a323d', red: '#f0837f', green: '#8fcf8a', yellow: '#e5c07b',
  blue: '#7fb2f0', magenta: '#cf9fe8', cyan: '#6fd0c8', white: '#cdd5df',
  brightBlack: '#7b8797', brightRed: '#ff9f9a', brightGreen: '#a9e3a3', brightYellow: '#f3d596',
  brightBlue: '#a3cbff', brightMagenta: '#e2bcf7', brightCyan: '#93e6df', brightWhite: '#f5f8fb',
};
const kLight: ITheme = {
  background: '#ffffff', foreground: '#1c2330', cursor: '#0b7a68', cursorAccent: '#ffffff',
  selectionBackground: '#bfdcf2', selectionInactiveBackground: '#cfdbe6',
  black: '#1c2330', red: '#b3261e', green: '#24712b', yellow: '#835b00',
  blue: '#1d5fb8', magenta: '#8a3aa8', cyan: '#0c7078', white: '#6b7686',
  brightBlack: '#566172', brightRed: '#c5382f', brightGreen: '#2e7f35', brightYellow: '#8f6500',
  brightBlue: '#2a6fd0', brightMagenta: '#9b48ba', brightCyan: '#127d86', brightWhite: '#3d4757',
};

const prefersDark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

export function isDark(): boolean {
  return settings.theme === 'auto' ? prefersDark.matches : settings.theme === 'dark';
}

export function terminalTheme(): ITheme {
  return isDark() ? kDark : kLight;
}

/** What finds in the scrollback look like. */
export function searchColours() {
  return isDark()
    ? { matchBackground: '#4a4420', matchOverviewRuler: '#e2b45b', activeMatchBackground: '#8a6d1d', activeMatchColorOverviewRuler: '#ffd479' }
    : { matchBackground: '#fbe9b0', matchOverviewRuler: '#b98900', activeMatchBackground: '#f5c542', activeMatchColorOverviewRuler: '#8a5a00' };
}

export function onThemeChange(listener: () => void): void {
  listeners.add(listener);
}

function apply(): void {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  for (const listener of listeners) listener();
}

export function startTheme(): void {
  prefersDark.addEventListener('change', apply);
  onSettingsChange(apply);
  apply();
}
