// Typed input from the moment it is accepted until the server says that it is in the PTY.

export const kMaxFrameBytes = 16 * 1024;
/** Never more than this is on its way unacknowledged, so that control messages always get through. */
export const kInFlightBytes = 256 * 1024;

/**
 * A queue of bytes numbered from 0 for the life of one client id. Three offsets move through it:
 * acknowledged <= sent <= end. What lies between the first and the last is kept.
 */
export class InputLog {
  private readonly chunks: Uint8Array[] = []; // from `first` on, in order
  private first = 0; // offset of chunks[0]
  private ackedTo = 0;
  private sentTo = 0;
  private endAt = 0;

  /** Offset of the first unacknowledged byte. */
  get acknowledged(): number {
    return this.ackedTo;
  }
  get end(): number {
    return this.endAt;
  }
  /** Bytes kept because the server has not acknowledged them. */
  get pendingBytes(): number {
    return this.endAt - this.ackedTo;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.endAt += bytes.length;
  }

  /** The server has everything before `offset`. Values outside of what was sent change nothing. */
  acknowledge(offset: number): void {
    if (offset <= this.ackedTo || offset > this.sentTo) return;
    this.ackedTo = offset;
    this.forget();
  }

  /** A new connection: what is unacknowledged is sent again; the server skips what it knows. */
  resend(): void {
    this.sentTo = this.ackedTo;
  }

  /** A new client id: what is unacknowledged is numbered from 0. */
  renumber(): void {
    this.first -= this.ackedTo;
    this.endAt -= this.ackedTo;
    this.ackedTo = this.sentTo = 0;
  }

  /** The next frame to send; undefined if nothing is left or enough is on its way. */
  nextFrame(): Uint8Array | undefined {
    const room = Math.min(kMaxFrameBytes, this.ackedTo + kInFlightBytes - this.sentTo);
    const length = Math.min(room, this.endAt - this.sentTo);
    if (length <= 0) return undefined;
    const frame = this.copy(this.sentTo, length);
    this.sentTo += length;
    return frame;
  }

  private copy(from: number, length: number): Uint8Array {
    const frame = new Uint8Array(length);
    let at = this.first;
    let filled = 0;
    for (const chunk of this.chunks) {
      const begin = Math.max(0, from + filled - at);
      if (begin < chunk.length) {
        const piece = chunk.subarray(begin, begin + length - filled);
        frame.set(piece, filled);
        filled += piece.length;
        if (filled === length) break;
      }
      at += chunk.length;
    }
    return frame;
  }

  private forget(): void {
    let done = 0;
    for (const chunk of this.chunks) {
      if (this.first + chunk.length > this.ackedTo) break;
      this.first += chunk.length;
      done++;
    }
    this.chunks.splice(0, done);
  }
}
