// How long to wait before the next attempt to connect.

export const kFirstDelayMs = 250;
export const kLongestDelayMs = 8000;

/** Doubles from 0.25 s to 8 s, a quarter up or down at random so that clients do not come in step. */
export class Backoff {
  private attempts = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** Milliseconds to wait now. `immediate` makes the first wait of a row zero, and only the first. */
  next(immediate = false): number {
    const attempt = this.attempts++;
    if (immediate && attempt === 0) return 0;
    const delay = Math.min(kLongestDelayMs, kFirstDelayMs * 2 ** Math.min(attempt, 16));
    return Math.round(Math.min(kLongestDelayMs, delay * (0.75 + this.random() / 2)));
  }

  reset(): void {
    this.attempts = 0;
  }
}
