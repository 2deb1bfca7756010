// How a client is set up and what it tells: options, states, events.

import type { Engines, Exit, Gap, Notice, Problem, Role, SessionRecord, Status, Tier } from './protocol';

/** The part of a browser's WebSocket that is used; the `ws` package has it, too. */
export interface Socket {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
}

export interface ClientOptions {
  /** Scheme, host and port: `ws://localhost:4001`. */
  url: string;
  session: string;
  project: string;
  cols: number;
  rows: number;
  role?: Role;
  token?: string;
  /** False: the first attach must not create the session either. Later ones never do. */
  create?: boolean;
  openSocket?: (url: string, protocol: string) => Socket;
  /** Milliseconds; for tests. */
  timing?: Partial<Timing>;
  random?: () => number;
}

export interface Timing {
  ping: number;
  silence: number; // nothing at all came for so long after a ping: the connection is dead
  attach: number; // from opening the socket to `attached`
  ackIdle: number;
  stable: number; // a connection that lasted this long starts the back-off anew
}

export const kTiming: Timing = { ping: 10_000, silence: 30_000, attach: 10_000, ackIdle: 60, stable: 2000 };
export type ClientState =
  | { name: 'idle' }
  | { name: 'connecting'; attempt: number; again: boolean } // `again`: there was a connection
  | { name: 'connected'; tier: Tier }
  | { name: 'waiting'; until: number; reason: string } // `until`: ms since the epoch
  | { name: 'ended'; why: 'exit' | 'closed' | 'gone'; exit?: Exit }
  | { name: 'refused'; reason: string; token: boolean }
  | { name: 'failed'; reason: string };

export interface ClientEvents {
  state: ClientState;
  /** Bytes to paint, in order; `done` must be called once when they are parsed. */
  output: { bytes: Uint8Array; done: () => void };
  gap: Gap;
  /** All that was painted so far is void; the whole scrollback follows. */
  reset: undefined;
  session: SessionRecord;
  status: Status;
  /** The terminal must take this size: another viewer set it, or ours is in force again (`mine`). */
  resized: { cols: number; rows: number; mine: boolean };
  engines: Engines;
  latency: number; // milliseconds
  notice: Notice;
  problem: Problem;
  /** Input was refused; `bytes` are waiting already. */
  full: { bytes: number };
}

export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return 'web-' + [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function openBrowserSocket(url: string, protocol: string): Socket {
  return new WebSocket(url, protocol) as unknown as Socket;
}
