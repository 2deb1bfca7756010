// What the close of a connection means for the session and for the user.

export type Verdict =
  | { kind: 'ended'; why: 'exit' | 'closed' | 'gone' }
  | { kind: 'refused'; token: boolean }
  | { kind: 'failed' }
  | { kind: 'retry'; immediate: boolean; afterMs: number };

const kShortestBusyDelayMs = 1000;
const kLongestBusyDelayMs = 60_000;

/** Reads a close code and its reason. Codes that are not ours are a lost connection. */
export function readClose(code: number, reason: string): Verdict {
  switch (code) {
    case 1000:
      return { kind: 'ended', why: 'exit' };
    case 4001:
      return { kind: 'ended', why: 'closed' };
    case 4404:
      return { kind: 'ended', why: 'gone' };
    case 1008:
      return { kind: 'refused', token: /token/i.test(reason) };
    case 1009:
    case 4000:
      return { kind: 'failed' };
    case 1001:
      return { kind: 'retry', immediate: true, afterMs: 0 };
    case 1013:
      return { kind: 'retry', immediate: false, afterMs: busyDelay(reason) };
    default:
      return { kind: 'retry', immediate: false, afterMs: 0 };
  }
}

function busyDelay(reason: string): number {
  const seconds = /(\d+(?:\.\d+)?)\s*s\b/.exec(reason)?.[1];
  const asked = seconds === undefined ? 0 : Number(seconds) * 1000;
  return Math.min(kLongestBusyDelayMs, Math.max(kShortestBusyDelayMs, asked));
}
