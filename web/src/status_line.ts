// The line at the bottom: how the connection is, which engine serves, how fast, how large.

import type { ClientState, Engines, Tier } from './client';
import { h } from './dom';
import type { SessionView } from './session_view';

const kTiers: Record<Tier, [string, string]> = {
  new: ['new shell', 'This shell was started for you'],
  live: ['same shell, live', 'The service was replaced; your shell and every byte went on'],
  warm: ['same shell', 'Reconnected to the running shell from where you were'],
  cold: ['restored', 'A new shell in the old directory, with the saved scrollback'],
};

export class StatusLine {
  readonly element = h('footer', { class: 'status' });
  private readonly dot = h('span', { class: 'dot' });
  private readonly state = h('span', { class: 'state', role: 'status' });
  private readonly retry = h('button', { type: 'button', class: 'link', hidden: true }, 'Try now');
  private readonly kept = h('span', { class: 'kept', title: 'Sent as soon as the connection is back, and once' });
  private readonly tier = h('span', { class: 'tier' });
  private readonly engine = h('span', { class: 'engine' });
  private readonly latency = h('span', { class: 'latency', title: 'Time to the service and back' });
  private readonly size = h('span', { class: 'size' });
  private view: SessionView | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.retry.addEventListener('click', () => {
      this.view?.reconnect();
      this.view?.focus();
    });
    this.element.append(
      h('div', { class: 'side' }, this.dot, this.state, this.retry, this.kept, this.tier),
      h('div', { class: 'side' }, this.engine, this.latency, this.size),
    );
  }

  show(view: SessionView | undefined): void {
    this.view = view;
    this.render();
    const counting = view?.state.name === 'waiting' || view?.state.name === 'connecting'; // seconds, bytes
    if (counting) this.timer ??= setInterval(() => this.render(), 250);
    else {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }

  private render(): void {
    const { view } = this;
    const state = view?.state;
    this.element.dataset.state = state?.name ?? 'idle';
    setText(this.state, state ? describe(state, view?.suspended ?? false) : 'No terminal open');
    const away = state?.name === 'waiting' || state?.name === 'connecting';
    const kept = away ? (view?.client.unacknowledged ?? 0) : 0;
    setText(this.kept, kept ? `${kept.toLocaleString()} ${kept === 1 ? 'byte' : 'bytes'} typed, kept` : '');
    this.retry.hidden = state?.name !== 'waiting';
    const tierName = state?.name === 'connected' ? (view?.fresh ? 'new' : state.tier) : undefined;
    const [tier, tierTitle] = (tierName && kTiers[tierName]) || ['', ''];
    setText(this.tier, tier);
    this.tier.title = tierTitle;
    const engines = view?.client.engines;
    setText(this.engine, engines ? describeEngines(engines) : '');
    this.engine.title = engines ? `sessions ${engines.sessions}, streams ${engines.streams}, telemetry ${engines.telemetry}` : '';
    setText(this.latency, view?.latency === undefined ? '' : `${view.latency < 10 ? view.latency.toFixed(1) : Math.round(view.latency)} ms`);
    const term = view?.screen.term;
    setText(this.size, term ? `${term.cols}×${term.rows}${view?.foreignSize ? ' set elsewhere' : ''}` : '');
    this.size.title = 'Columns × rows';
  }
}

/** Text is only touched when it differs, so that nothing is read out twice. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === '';
}

function describe(state: ClientState, suspended: boolean): string {
  switch (state.name) {
    case 'connecting':
      return state.again || state.attempt > 1 ? 'Reconnecting…' : 'Connecting…';
    case 'connected':
      return suspended ? 'Suspended' : 'Connected';
    case 'waiting': {
      const seconds = Math.max(0, Math.ceil((state.until - Date.now()) / 1000));
      return `${capital(state.reason)}; trying again in ${seconds} s`;
    }
    case 'ended':
      return 'Ended';
    case 'refused':
      return 'Refused';
    case 'failed':
      return 'Failed';
    default:
      return 'Not connected';
  }
}

function describeEngines({ sessions, streams, telemetry }: Engines): string {
  if (sessions === streams && streams === telemetry) return `engine ${sessions}`;
  return `sessions ${sessions} · streams ${streams} · telemetry ${telemetry}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
