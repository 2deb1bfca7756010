// What is measured, on whom, how often. A series is one kind of work; its contenders take turns within
// each round, in rotated order, so that a slow minute of the machine hits all of them.
//
// A contender is SERVER[@VARIANT]:DIALECT for ours, the name of a peer, or a limit-… of bench-load.

/** Configuration of ours that a variant stands for. */
export const kVariants = {
  legacy: { TERMINAL_LEGACY_MODE: 'true' },
  shards1: { TERMINAL_SHARDS: '1' },
  shards2: { TERMINAL_SHARDS: '2' },
};

const kOurs = ['ours:native', 'ours:raw', 'ours:legacy'];
const kTerminals = ['ttyd', 'node', 'wetty', 'terminado'];

/**
 * `ptys`: how many the kernel must allow. `fresh`: each measurement gets a server that has done nothing yet (memory, creation); else one serves
 * the whole series. `timeout_s` is for one measurement. `quick` replaces fields under --quick; `quick:
 * null` leaves the series out.
 */
export const kSeries = [
  {
    id: 'frames', work: 'frames', title: 'the client itself, against a frame blaster', rounds: 3,
    args: ['--mib=256'], contenders: ['client'], quick: { rounds: 2 },
  },
  {
    id: 'bulk-raw', work: 'bulk', title: 'bulk output, raw PTY', rounds: 7, args: ['--mib=64', '--content=plain', '--pty=raw'],
    contenders: ['limit-pty-read', 'limit-pty-tcp', ...kOurs, 'ours@legacy:native', ...kTerminals, 'websocketd'],
    quick: { rounds: 3, args: ['--mib=24', '--content=plain', '--pty=raw'] },
  },
  {
    id: 'bulk-cooked', work: 'bulk', title: 'bulk output, cooked PTY', rounds: 5, args: ['--mib=24', '--content=plain', '--pty=cooked'],
    contenders: ['limit-pty-read', 'ours:native', 'ours:legacy', ...kTerminals], quick: null,
  },
  ...['colour', 'binary', 'long-lines', 'cjk'].map((content) => ({
    id: `bulk-${content}`, work: 'bulk', title: `bulk output, ${content}`, rounds: 3,
    args: ['--mib=24', `--content=${content}`, '--pty=raw'],
    // Text dialects cannot carry what is not text.
    contenders: content === 'binary' ? ['ours:native', 'ours:raw', 'ttyd'] : ['ours:native', 'ours:legacy', 'ttyd', 'node'],
    quick: null,
  })),
  {
    id: 'echo', work: 'echo', title: 'echo alone', rounds: 7, args: ['--count=2000'],
    contenders: ['limit-both-echo', 'limit-pty-echo', 'limit-tcp-echo', ...kOurs, 'ours@legacy:native', ...kTerminals],
    quick: { rounds: 3, args: ['--count=500'] },
  },
  {
    id: 'echo-1', work: 'echo', title: 'echo beside a flood', rounds: 5, args: ['--count=600', '--floods=1'],
    contenders: ['ours:native', 'ours@legacy:native', 'ttyd', 'node', 'terminado'], quick: { rounds: 3, args: ['--count=200', '--floods=1'] },
  },
  {
    id: 'echo-8', work: 'echo', title: 'echo beside 8 floods', rounds: 5, args: ['--count=400', '--floods=8'],
    contenders: ['ours:native', 'ours@legacy:native', 'ttyd', 'node'], quick: { rounds: 3, args: ['--count=100', '--floods=8'] },
  },
  {
    id: 'interrupt', work: 'interrupt', title: 'Ctrl-C under yes, to silence', rounds: 3, args: ['--count=20'],
    contenders: ['ours:native', 'ours:raw', 'ours:legacy', 'ttyd', 'node'], quick: { rounds: 2, args: ['--count=8'] },
  },
  {
    id: 'paste', work: 'paste', title: 'paste of 9 MiB in one message', rounds: 2, args: ['--mib=9', '--patience=10'], fresh: true,
    contenders: [...kOurs, ...kTerminals], quick: null,
  },
  {
    id: 'idle', work: 'idle', title: 'idle attached sessions', rounds: 3, args: ['--sessions=100', '--seconds=1'], fresh: true,
    contenders: ['ours:native', 'ours@legacy:native', 'ttyd', 'node', 'wetty', 'terminado'],
    quick: { rounds: 1, args: ['--sessions=50', '--seconds=1'] },
  },
  {
    id: 'idle-printed', work: 'idle', title: 'idle sessions that have printed 10 MiB', rounds: 2, args: ['--sessions=20', '--seconds=1', '--mib=10'], fresh: true,
    contenders: ['ours:native', 'ours@legacy:native', 'ttyd', 'node', 'wetty', 'terminado'], quick: null,
  },
  {
    id: 'idle-1000', work: 'idle', title: 'many idle attached sessions', rounds: 3, args: ['--sessions=1000', '--seconds=3'], fresh: true,
    contenders: ['ours:native', 'ours@legacy:native', 'node'], quick: null, timeout_s: 180,
  },
  {
    id: 'idle-10000', work: 'idle', title: 'idle sessions, most of them detached', rounds: 1,
    args: ['--sessions=10000', '--attached=1000', '--seconds=5'], ptys: 10_100, fresh: true, contenders: ['ours:native'], quick: null, timeout_s: 300,
  },
  {
    id: 'footprint', work: 'footprint', title: 'what a session takes of the machine', rounds: 3, args: ['--sessions=500'], fresh: true,
    contenders: ['ours:native', 'ours@legacy:native'], quick: { rounds: 1, args: ['--sessions=200'] },
  },
  {
    id: 'create', work: 'create', title: 'sessions created', rounds: 5, args: ['--count=300'], fresh: true,
    contenders: ['limit-spawn', 'ours:native', 'ours@legacy:native', 'ttyd', 'node'],
    quick: { rounds: 3, args: ['--count=100'] },
  },
  {
    id: 'create-3000', work: 'create', title: 'many sessions created', rounds: 3, args: ['--count=3000'], ptys: 3072, fresh: true,
    contenders: ['ours:native'], quick: null, timeout_s: 180,
  },
  {
    id: 'attach', work: 'attach', title: 'attach with 1 MiB of scrollback', rounds: 5, args: ['--mib=1', '--count=20'],
    contenders: ['ours:native', 'ours:raw', 'ours@legacy:native'], quick: { rounds: 3, args: ['--mib=1', '--count=5'] },
  },
  {
    id: 'flip', work: 'flip', title: 'flip of live, printing sessions', rounds: 3, args: ['--sessions=1000'], fresh: true,
    contenders: ['ours:native'], quick: { rounds: 1, args: ['--sessions=100'] }, timeout_s: 120,
  },
  {
    id: 'handover', work: 'handover', title: 'hand-over with attached WebSockets', rounds: 3, args: ['--sessions=1000'], fresh: true,
    contenders: ['ours:native'], quick: { rounds: 1, args: ['--sessions=100'] }, timeout_s: 120,
  },
  {
    id: 'recovery', work: 'recovery', title: 'recovery after kill -9', rounds: 3, args: ['--sessions=1000'], fresh: true,
    contenders: ['ours:native'], quick: { rounds: 1, args: ['--sessions=100'] }, timeout_s: 120,
  },
  {
    id: 'state', work: 'state', title: 'export and restore', rounds: 3, args: ['--sessions=64'], fresh: true,
    contenders: ['ours:native'], quick: { rounds: 1, args: ['--sessions=16'] }, timeout_s: 120,
  },
  {
    id: 'ports', work: 'ports', title: 'what the ports add to a turn', rounds: 5, args: [], contenders: ['client'], quick: { rounds: 3 },
  },
  {
    id: 'hundred', work: 'bulk', title: 'many sessions printing', rounds: 3, args: ['--sessions=100', '--mib=1', '--pty=raw'], fresh: true,
    contenders: ['ours:native', 'ours@legacy:native'], quick: { rounds: 2, args: ['--sessions=50', '--mib=1', '--pty=raw'] },
  },
  {
    id: 'shards', work: 'bulk', title: 'four printing sessions, by shards', rounds: 5, args: ['--sessions=4', '--mib=16', '--pty=raw'], fresh: true,
    contenders: ['ours@shards1:native', 'ours@shards2:native'], quick: { rounds: 3, args: ['--sessions=4', '--mib=8', '--pty=raw'] },
  },
];

/** {server, variant, dialect, settings} of a contender's name. */
export function contender(name) {
  const [who, dialect] = name.split(':');
  const [server, variant] = who.split('@');
  if (variant !== undefined && !kVariants[variant]) throw new Error(`no variant '${variant}' of ours; in ${name}`);
  const kind = server === 'ours' ? 'ours' : server === 'client' ? 'client' : server.startsWith('limit-') ? 'limit' : 'peer';
  return { name, kind, server, variant, dialect, settings: variant ? kVariants[variant] : {} };
}

/** The series of one run: shortened for --quick, only those whose id begins with one of `only`. */
export function planned({ quick = false, only = [] } = {}) {
  const wanted = (id) => only.length === 0 || only.some((prefix) => id.startsWith(prefix));
  return kSeries
    .filter(({ id, quick: short }) => wanted(id) && !(quick && short === null))
    .map(({ quick: short, ...series }) => ({ timeout_s: 90, fresh: false, ...series, ...(quick ? short : {}) }));
}

/** The order in a round: rotated, so that nobody always follows the same one. */
export function turns(contenders, round) {
  const from = round % contenders.length;
  return [...contenders.slice(from), ...contenders.slice(0, from)];
}
