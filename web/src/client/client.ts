// One session seen through one connection at a time: connects, keeps the counts, reconnects.

import { isTerminalAnswer } from './answers';
import { Backoff } from './backoff';
import { readClose } from './close_codes';
import { Emitter } from './emitter';
import { InputLog } from './input_log';
import {
  kTiming,
  openBrowserSocket,
  randomId,
  type ClientEvents,
  type ClientOptions,
  type ClientState,
  type Socket,
  type Timing,
} from './options';
import { OutputCursor } from './output_cursor';
import {
  kSubprotocol,
  parseMessage,
  type Attached,
  type ClientMessage,
  type Engines,
  type Exit,
  type ServerMessage,
} from './protocol';

const kOfflineBytes = 1024 * 1024;
const kOnlineBytes = 16 * 1024 * 1024; // a paste in progress; it leaves as the server takes it

type Timer = ReturnType<typeof setTimeout> | undefined;

export class TerminalClient extends Emitter<ClientEvents> {
  /** New for each object, so that offsets of input start at 0 and nothing is counted twice. */
  private clientId = randomId();
  private readonly timing: Timing;
  private readonly backoff: Backoff;
  private readonly log = new InputLog();
  private readonly cursor = new OutputCursor();
  private readonly encoder = new TextEncoder();
  private socket: Socket | undefined;
  private attachedOnce = false;
  private resumes = false; // our output offset means something to the server
  private attachedNow = false;
  private attempt = 0;
  private wanted: { cols: number; rows: number };
  private foreignSize = false; // `wanted` is what another viewer set
  private exit: Exit | undefined;
  private pingSince = 0; // when the oldest unanswered ping went out; 0 = none
  private retryTimer: Timer;
  private attachTimer: Timer;
  private pingTimer: Timer;
  private ackTimer: Timer;
  private stableTimer: Timer;
  private current: ClientState = { name: 'idle' };
  private currentEngines: Engines | undefined;

  constructor(private readonly options: ClientOptions) {
    super();
    this.timing = { ...kTiming, ...options.timing };
    this.backoff = new Backoff(options.random);
    this.wanted = { cols: options.cols, rows: options.rows };
  }

  get id(): string {
    return this.clientId;
  }
  get state(): ClientState {
    return this.current;
  }
  get engines(): Engines | undefined {
    return this.currentEngines;
  }
  /** Bytes typed that the shell may not have. */
  get unacknowledged(): number {
    return this.log.pendingBytes;
  }
  /** Offset of the next byte of output. */
  get output(): number {
    return this.cursor.received;
  }

  /** Connects, or tries again at once. Does nothing while a connection is there. */
  start(): void {
    if (this.socket) return;
    this.exit = undefined;
    clearTimeout(this.retryTimer);
    this.connect();
  }

  /** Drops the connection and stays away. The session goes on. */
  stop(): void {
    this.drop();
    this.enter({ name: 'idle' });
  }

  setToken(token: string): void {
    this.options.token = token;
  }

  /** Types. False if it was refused: nothing of it is kept then. */
  input(data: string | Uint8Array): boolean {
    const bytes = typeof data === 'string' ? this.encoder.encode(data) : data;
    const limit = this.attachedNow ? kOnlineBytes : kOfflineBytes;
    if (this.log.pendingBytes + bytes.length > limit) {
      this.emit('full', { bytes: this.log.pendingBytes });
      return false;
    }
    this.log.push(bytes);
    this.sendInput();
    return true;
  }

  /** What the terminal emits: keys, and its own answers, which are dropped while history is painted. */
  terminalData(data: string): boolean {
    if (this.cursor.replaying && isTerminalAnswer(data)) return true;
    return this.input(data);
  }

  resize(cols: number, rows: number): void {
    if (cols === this.wanted.cols && rows === this.wanted.rows) return;
    this.foreignSize = false;
    this.wanted = { cols, rows };
    this.control({ type: 'resize', cols, rows });
  }
  focus(focused: boolean): void {
    this.control({ type: 'focus', focused });
  }
  rename(name: string): void {
    this.control({ type: 'rename', name });
  }
  resume(): void {
    this.control({ type: 'resume' });
  }
  /** Ends the session and its shell. False if there is no connection to say so on. */
  endSession(): boolean {
    return this.control({ type: 'close' });
  }
  /** Measures the latency now, which also finds out whether the connection is still alive. */
  ping(): void {
    const now = Date.now();
    if (this.pingSince && now - this.pingSince >= this.timing.silence) {
      this.lost('no answer');
      return;
    }
    this.control({ type: 'ping', t: performance.now() });
    if (!this.pingSince) this.pingSince = now;
    clearTimeout(this.pingTimer);
    this.pingTimer = setTimeout(() => this.ping(), this.timing.ping);
  }

  private connect(): void {
    const { url, session, project } = this.options;
    let address = `${url}/terminal/${encodeURIComponent(session)}?projectId=${encodeURIComponent(project)}`;
    if (this.attachedOnce || this.options.create === false) address += '&create=false';
    this.enter({ name: 'connecting', attempt: ++this.attempt, again: this.attachedOnce });
    let socket: Socket;
    try {
      socket = (this.options.openSocket ?? openBrowserSocket)(address, kSubprotocol);
    } catch (error) {
      this.enter({ name: 'failed', reason: String(error) });
      return;
    }
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    this.attachTimer = setTimeout(() => this.lost('no answer'), this.timing.attach);
    socket.onopen = () => this.attach();
    socket.onerror = () => {}; // a close follows, and says more
    socket.onclose = (event: { code: number; reason: string }) => {
      if (socket === this.socket) this.closed(event.code, String(event.reason));
    };
    socket.onmessage = (event: { data: string | ArrayBuffer }) => {
      if (socket !== this.socket) return;
      this.pingSince = 0;
      if (typeof event.data === 'string') this.receive(parseMessage(event.data));
      else this.paint(new Uint8Array(event.data));
    };
  }

  private attach(): void {
    this.cursor.connected();
    if (this.cursor.broken) {
      this.cursor.restart();
      this.resumes = false;
      this.emit('reset', undefined);
    }
    this.send({
      type: 'attach',
      client: this.id,
      ...(this.resumes ? { output: this.cursor.received } : {}),
      input: this.log.acknowledged,
      cols: this.wanted.cols,
      rows: this.wanted.rows,
      role: this.options.role ?? 'writer',
      ...(this.options.token ? { token: this.options.token } : {}),
    });
  }

  private receive(message: ServerMessage | undefined): void {
    switch (message?.type) {
      case 'attached':
        return this.attached(message);
      case 'gap':
        this.cursor.gap(message.to);
        if (message.to > message.from) this.emit('gap', message);
        return;
      case 'repaint':
        return this.cursor.expectRepaint(message.bytes);
      case 'ack':
        this.log.acknowledge(message.input);
        return this.sendInput();
      case 'resized': {
        // Ours comes back as an echo, unless another's size was in force until we typed.
        const mine = message.client === this.id;
        if (mine && !this.foreignSize) return;
        this.foreignSize = !mine;
        this.wanted = { cols: message.cols, rows: message.rows };
        return this.emit('resized', { ...this.wanted, mine });
      }
      case 'status':
        return this.emit('status', message);
      case 'notice':
        if (message.engine) this.setEngines(message.engine);
        return this.emit('notice', message);
      case 'exit':
        this.exit = message;
        return;
      case 'error':
        return this.emit('problem', message);
      case 'pong':
        return this.emit('latency', Math.max(0, performance.now() - message.t));
      default: // newer servers may say more
    }
  }

  private attached(message: Attached): void {
    clearTimeout(this.attachTimer);
    if (message.input < this.log.acknowledged) {
      // It does not know us any more, so it would wait for bytes that we no longer have.
      this.clientId = randomId();
      this.log.renumber();
      this.drop();
      return this.connect();
    }
    this.attachedOnce = this.resumes = this.attachedNow = true;
    this.cursor.attached(message.output, message.replayUntil);
    this.log.resend();
    this.stableTimer = setTimeout(() => this.backoff.reset(), this.timing.stable);
    this.attempt = 0;
    this.setEngines(message.engine);
    this.emit('session', message.session);
    this.enter({ name: 'connected', tier: message.tier });
    const { cols, rows } = message.session;
    if (cols !== undefined && (cols !== this.wanted.cols || rows !== this.wanted.rows)) {
      this.control({ type: 'resize', ...this.wanted });
    }
    // Bytes after an attach count from its `input` on, so what the server has by now is sent, too.
    this.sendInput();
    this.log.acknowledge(message.input);
    this.sendInput();
    this.ping();
    // The first answer shares the line with the replay; a second one soon tells the usual latency.
    clearTimeout(this.pingTimer);
    this.pingTimer = setTimeout(() => this.ping(), Math.min(1000, this.timing.ping));
  }

  private paint(frame: Uint8Array): void {
    for (const { bytes } of this.cursor.take(frame)) {
      this.emit('output', { bytes, done: () => this.parsed() });
    }
  }

  private parsed(): void {
    if (this.cursor.pieceParsed()) this.sendAck();
    else this.ackTimer ??= setTimeout(() => this.sendAck(), this.timing.ackIdle);
  }

  private sendAck(): void {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    if (!this.attachedNow) return;
    const output = this.cursor.takeAck();
    if (output !== undefined) this.send({ type: 'ack', output });
  }

  private sendInput(): void {
    if (!this.attachedNow) return;
    for (let frame; (frame = this.log.nextFrame()); ) this.socket?.send(frame);
  }

  private control(message: ClientMessage): boolean {
    if (!this.attachedNow) return false;
    this.send(message);
    return true;
  }

  private send(message: ClientMessage): void {
    this.socket?.send(JSON.stringify(message));
  }

  /** The connection is of no use any more, though nobody closed it. */
  private lost(reason: string): void {
    this.drop();
    this.wait(this.backoff.next(), reason);
  }

  private closed(code: number, reason: string): void {
    const unused = !this.attachedNow;
    this.drop();
    const verdict = readClose(this.exit ? 1000 : code, reason);
    switch (verdict.kind) {
      case 'ended':
        this.enter({ name: 'ended', why: verdict.why, ...(this.exit ? { exit: this.exit } : {}) });
        return;
      case 'refused':
        this.enter({ name: 'refused', reason: reason || 'the server refused', token: verdict.token });
        return;
      case 'failed':
        this.enter({ name: 'failed', reason: reason || `closed with code ${code}` });
        return;
      case 'retry': {
        const delay = this.backoff.next(verdict.immediate);
        this.wait(Math.max(delay, verdict.afterMs), reason || (unused ? 'no connection' : 'connection lost'));
      }
    }
  }

  private wait(delay: number, reason: string): void {
    if (delay === 0) return this.connect();
    this.retryTimer = setTimeout(() => this.connect(), delay);
    this.enter({ name: 'waiting', until: Date.now() + delay, reason });
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = undefined;
    this.attachedNow = false;
    this.pingSince = 0;
    for (const timer of [this.retryTimer, this.attachTimer, this.pingTimer, this.ackTimer, this.stableTimer]) {
      clearTimeout(timer);
    }
    this.ackTimer = undefined;
    socket?.close();
  }

  private enter(state: ClientState): void {
    this.current = state;
    this.emit('state', state);
  }

  private setEngines(engines: Engines): void {
    this.currentEngines = engines;
    this.emit('engines', engines);
  }
}
