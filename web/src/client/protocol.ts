// The messages of the native dialect, as docs/protocol.md describes them.

export const kSubprotocol = 'terminal.v1';

export type Role = 'writer' | 'viewer';
export type EngineName = 'legacy' | 'refactored';

/** How a session came back: the shell is new, or the same one, or restored from what was saved. */
export type Tier = 'new' | 'live' | 'warm' | 'cold';

/** Which engine serves each of the three ports of this session. */
export interface Engines {
  sessions: EngineName;
  streams: EngineName;
  telemetry: EngineName;
}

/** The part of a session's record that a client looks at. */
export interface SessionRecord {
  id: string;
  projectId?: string;
  tabName?: string;
  status?: string;
  cols?: number;
  rows?: number;
}

export type ClientMessage =
  | {
      type: 'attach';
      client: string;
      output?: number;
      input: number;
      cols: number;
      rows: number;
      role: Role;
      token?: string;
    }
  | { type: 'resize'; cols: number; rows: number }
  | { type: 'ack'; output: number }
  | { type: 'focus'; focused: boolean }
  | { type: 'suspend' }
  | { type: 'resume' }
  | { type: 'rename'; name: string }
  | { type: 'close' }
  | { type: 'ping'; t: number };

export interface Attached {
  type: 'attached';
  session: SessionRecord;
  tier: Tier;
  output: number;
  replayUntil: number;
  input: number;
  engine: Engines;
  window?: number;
}

export interface Gap {
  type: 'gap';
  from: number;
  to: number;
}

export interface Status {
  type: 'status';
  status: string;
  focused?: boolean;
  allFocused?: string[];
  tabName?: string;
}

export type NoticeKind = 'maintenance' | 'draining' | 'restarting' | 'engine' | 'limit';

export interface Notice {
  type: 'notice';
  kind: NoticeKind;
  message?: string;
  eta?: string;
  /** What was announced before has ended. */
  over?: boolean;
  engine?: Engines;
}

/** How the shell ended: exactly one of the two is set. */
export interface Exit {
  type: 'exit';
  code?: number;
  signal?: string;
}

export interface Problem {
  type: 'error';
  code: string;
  message: string;
  fatal?: boolean;
}

export type ServerMessage =
  | Attached
  | Gap
  | { type: 'repaint'; bytes: number }
  | { type: 'ack'; input: number }
  | { type: 'resized'; cols: number; rows: number; client?: string }
  | Status
  | Notice
  | Exit
  | Problem
  | { type: 'pong'; t: number };

/** Reads one text frame; undefined if it is not an object with a type. */
export function parseMessage(text: string): ServerMessage | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return typeof (value as { type?: unknown }).type === 'string' ? (value as ServerMessage) : undefined;
  } catch {
    return undefined;
  }
}
