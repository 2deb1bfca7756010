// The terminal emulator of one session with its add-ons: everything that is xterm.js and nothing that
// is ours.

import { ClipboardAddon, type IClipboardProvider } from '@xterm/addon-clipboard';
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { UnicodeGraphemesAddon } from '@xterm/addon-unicode-graphemes';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal } from '@xterm/xterm';
import { settings } from './settings';
import { isDark, terminalTheme } from './theme';

const kFont = 'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const kClipboardBytes = 1024 * 1024;

export interface ScreenHooks {
  /** A link whose text need not be its address was clicked. */
  askToOpen(address: string): void;
}

export class Screen {
  readonly term: Terminal;
  readonly search = new SearchAddon({ highlightLimit: 2000 });
  private readonly fitAddon = new FitAddon();
  private webgl: WebglAddon | undefined;
  private webglFailed = false;

  /** Opens the terminal in `parent`, which must be visible: the size of a cell is measured here. */
  constructor(parent: HTMLElement, hooks: ScreenHooks) {
    this.term = new Terminal({
      allowProposedApi: true, // graphemes and search marks need it
      scrollback: 20_000,
      fontFamily: kFont,
      lineHeight: 1.15,
      macOptionIsMeta: true,
      rightClickSelectsWord: true,
      linkHandler: { activate: (_event, address) => hooks.askToOpen(address) },
    });
    this.term.loadAddon(this.fitAddon);
    this.term.loadAddon(this.search);
    this.term.loadAddon(new UnicodeGraphemesAddon());
    this.term.loadAddon(new WebLinksAddon((_event, address) => openAddress(address)));
    this.term.loadAddon(new ClipboardAddon(undefined, clipboardProvider()));
    this.applySettings();
    this.term.open(parent);
  }

  get renderer(): 'webgl' | 'dom' {
    return this.webgl ? 'webgl' : 'dom';
  }

  applySettings(): void {
    const { options } = this.term;
    options.theme = terminalTheme();
    options.minimumContrastRatio = isDark() ? 1 : 4.5;
    options.fontSize = settings.fontSize;
    options.cursorBlink = settings.cursorBlink;
    if (settings.webgl === 'never') this.releaseGpu();
  }

  /** The size that fills the parent; undefined while it has none. */
  fittingSize(): { cols: number; rows: number } | undefined {
    const size = this.fitAddon.proposeDimensions();
    if (!size || !Number.isFinite(size.cols) || !Number.isFinite(size.rows)) return undefined;
    return { cols: Math.min(1000, Math.max(2, size.cols)), rows: Math.min(1000, Math.max(1, size.rows)) };
  }

  /** Draws by WebGL if that works here; browsers have few contexts, so only the front tab has one. */
  useGpu(): void {
    if (this.webgl || this.webglFailed || settings.webgl === 'never') return;
    if (settings.webgl === 'auto' && !hasGraphicsCard()) return;
    try {
      const addon = new WebglAddon();
      addon.onContextLoss(() => {
        this.webglFailed = true;
        this.releaseGpu();
      });
      this.term.loadAddon(addon);
      this.webgl = addon;
    } catch {
      this.webglFailed = true; // the DOM renderer stays
    }
  }

  releaseGpu(): void {
    this.webgl?.dispose();
    this.webgl = undefined;
  }

  dispose(): void {
    this.releaseGpu();
    this.term.dispose();
  }
}

let graphicsCard: boolean | undefined;

/** False where the browser would only imitate one, which is slower than drawing without. */
function hasGraphicsCard(): boolean {
  if (graphicsCard === undefined) {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('webgl2', { failIfMajorPerformanceCaveat: true });
    const names = context?.getExtension('WEBGL_debug_renderer_info');
    const name = names ? String(context?.getParameter(names.UNMASKED_RENDERER_WEBGL)) : '';
    graphicsCard = context !== null && !/swiftshader|llvmpipe|software/i.test(name);
    context?.getExtension('WEBGL_lose_context')?.loseContext();
  }
  return graphicsCard;
}

/** Opens a web address in a new browser tab that knows nothing of this page. */
export function openAddress(address: string): void {
  if (/^https?:/i.test(address)) window.open(address, '_blank', 'noopener,noreferrer');
}

/** OSC 52: writing only if the user allows it, reading never. */
function clipboardProvider(): IClipboardProvider {
  return {
    readText: () => '',
    // Not waited for: the parser would stand still as long as the browser asks its user.
    writeText: (_selection, text) => {
      if (!settings.clipboardWrite || text.length > kClipboardBytes) return;
      void navigator.clipboard?.writeText(text).catch(() => {});
    },
  };
}
