// Sessions of ours seen from the conductor, for works that are not about speed.
import { createRequire } from 'node:module';

/** Installed with the peers, so not there before the first run. */
const peerModule = createRequire(new URL('peers/package.json', import.meta.url));

/** One attached native viewer: what it saw, as text, and when it was attached. */
export class Viewer {
  seen = '';
  attached = undefined;

  constructor(base, id) {
    const { WebSocket } = peerModule('ws');
    this.socket = new WebSocket(`${base}/terminal/${id}`, 'terminal.v1', { perMessageDeflate: false });
    this.ready = new Promise((resolve, reject) => {
      this.socket.on('error', reject);
      this.socket.on('close', (code) => reject(new Error(`the viewer of ${id} was closed with ${code}`)));
      this.socket.on('open', () => this.#control({ type: 'attach', client: 'bench', input: 0, cols: 80, rows: 24 }));
      this.socket.on('message', (data, binary) => this.#take(data, binary, resolve));
    });
    this.ready.catch(() => {});
  }
  #control(message) {
    this.socket.send(JSON.stringify(message));
  }
  #take(data, binary, resolve) {
    if (binary) {
      this.seen += data.toString('latin1');
      if (this.attached) this.#control({ type: 'ack', output: this.attached.output + this.seen.length });
      return;
    }
    const message = JSON.parse(data);
    if (message.type !== 'attached') return;
    this.attached = message;
    resolve(this);
  }
  type(text) {
    this.socket.send(Buffer.from(text));
  }
  close() {
    this.socket.terminate();
  }
}

export function option(series, name, otherwise) {
  const given = series.args.find((argument) => argument.startsWith(`--${name}=`));
  return given ? Number(given.slice(name.length + 3)) : otherwise;
}

/** `count` sessions called `name`-0 and so on, a few at a time; `each` is given each viewer and its number. */
export async function open(base, count, each, name = 'bench') {
  const viewers = new Array(count);
  let next = 0;
  async function worker() {
    while (next < count) {
      const i = next++;
      viewers[i] = await new Viewer(base, `${name}-${i}`).ready;
      await each?.(viewers[i], i);
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker));
  return viewers;
}
