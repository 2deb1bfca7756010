// How far a session's output has come on its way through this client.

/** An acknowledgement is due when this much is parsed since the last one. */
export const kAckBytes = 64 * 1024;
const kPieceBytes = 64 * 1024;

/** A run of bytes to paint. `end` is the offset behind it; a repaint does not move the offset. */
export interface Piece {
  bytes: Uint8Array;
  end: number;
}

/**
 * Counts output: received from the server, parsed by the terminal, acknowledged to the server.
 * Pieces are parsed in the order in which they were taken, which is all that parsed() relies on.
 */
export class OutputCursor {
  private receivedTo = 0;
  private parsedTo = 0;
  private ackedTo = 0;
  private replayUntil = 0;
  private repaintNext = false;
  private repaintOwed = false;
  private repaintsInFlight = 0;
  private readonly inFlight: { end: number; repaint: boolean }[] = [];

  /** Offset of the first byte that this client lacks. */
  get received(): number {
    return this.receivedTo;
  }
  get parsed(): number {
    return this.parsedTo;
  }
  /** True if the picture has a hole that the server has not yet painted over. */
  get broken(): boolean {
    return this.repaintOwed;
  }
  /** True while what is being painted is history, so the terminal's answers must not be sent. */
  get replaying(): boolean {
    return this.parsedTo < this.replayUntil || this.repaintsInFlight > 0;
  }

  /** A new connection was made: half of a repaint is no repaint. */
  connected(): void {
    this.repaintNext = false;
  }

  attached(output: number, replayUntil: number): void {
    this.moveTo(output);
    this.ackedTo = output;
    this.repaintOwed = false; // from here on the server sends all that there is
    this.replayUntil = replayUntil;
  }

  gap(to: number): void {
    this.moveTo(to);
    this.repaintOwed = true;
  }

  /** Forgets everything; the next attach asks for all that the server has. */
  restart(): void {
    this.moveTo(0);
    this.repaintOwed = false;
  }

  expectRepaint(bytes: number): void {
    if (bytes > 0) this.repaintNext = true;
    else this.repaintOwed = false;
  }

  /** Takes a binary frame and cuts it where the replay ends and where an acknowledgement is due. */
  take(frame: Uint8Array): Piece[] {
    if (this.repaintNext) {
      this.repaintNext = false;
      this.repaintOwed = false;
      this.repaintsInFlight++;
      this.inFlight.push({ end: this.receivedTo, repaint: true });
      return [{ bytes: frame, end: this.receivedTo }];
    }
    const pieces: Piece[] = [];
    for (let at = 0; at < frame.length; ) {
      let length = Math.min(kPieceBytes, frame.length - at);
      const replay = this.replayUntil - this.receivedTo;
      if (replay > 0 && replay < length) length = replay;
      this.receivedTo += length;
      this.inFlight.push({ end: this.receivedTo, repaint: false });
      pieces.push({ bytes: frame.subarray(at, at + length), end: this.receivedTo });
      at += length;
    }
    return pieces;
  }

  /** The terminal has parsed the oldest piece taken. True if an acknowledgement is due at once. */
  pieceParsed(): boolean {
    const piece = this.inFlight.shift();
    if (!piece) return false;
    if (piece.repaint) this.repaintsInFlight--;
    this.parsedTo = piece.end;
    return this.parsedTo - this.ackedTo >= kAckBytes;
  }

  /** The offset to acknowledge now; undefined if the server knows already. */
  takeAck(): number | undefined {
    if (this.parsedTo <= this.ackedTo) return undefined;
    this.ackedTo = this.parsedTo;
    return this.parsedTo;
  }

  /** The next counted byte is `offset`, whatever was counted before. */
  private moveTo(offset: number): void {
    if (offset === this.receivedTo) return;
    this.receivedTo = offset;
    // What is still being painted counts as parsed up to here once the last piece of it is.
    for (const piece of this.inFlight) piece.end = Math.min(piece.end, offset);
    const last = this.inFlight[this.inFlight.length - 1];
    if (last) last.end = offset;
    else this.parsedTo = offset;
  }
}
