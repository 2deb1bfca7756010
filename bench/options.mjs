// The arguments of ./dev bench.
import { resolve } from 'node:path';

export class UsageError extends Error {}

export function usage() {
  return `Usage: ./dev bench [--quick] [--only=SERIES[,SERIES…]] [--check] [--peer=ttyd:PATH]

  --quick        less of everything, within three minutes; not recorded
  --only=ID      only the series whose id begins with ID
  --check        compare ratios with the last record; ends with 1 if one lost beyond the spread
  --peer=ttyd:PATH
                 a ttyd program to measure beside ours
  --no-record    a full run that is not recorded in bench/results and docs/performance.md
  --binaries=DIR the programs to measure (default: build/release/bin)
  --out=DIR      where a run that is not recorded is written (default: build/bench)
  --list         the series, their contenders and rounds
  --dry-run      only say what is wrong with the arguments

Ends with 0: measured, 1: ours failed, gave wrong bytes or (--check) lost, 2: usage.
`;
}

function peer(text) {
  const [, name, path] = /^([a-z]+):(\/.+)$/.exec(text) ?? [];
  if (name !== 'ttyd') throw new UsageError(`--peer=${text}: write ttyd:PATH, with an absolute path`);
  return { [name]: path };
}

export function parse(args) {
  const options = { quick: false, check: false, record: true, list: false, dry_run: false, help: false, only: [], peers: {}, binaries: undefined, out: undefined };
  for (const argument of args) {
    const [name, value] = argument.split(/=(.*)/s);
    if (argument === '--quick') options.quick = true;
    else if (argument === '--check') options.check = true;
    else if (argument === '--no-record') options.record = false;
    else if (argument === '--list') options.list = true;
    else if (argument === '--dry-run') options.dry_run = true;
    else if (argument === '--help') options.help = true;
    else if (name === '--only' && value) options.only.push(...value.split(','));
    else if (name === '--peer' && value) Object.assign(options.peers, peer(value));
    else if (name === '--binaries' && value) options.binaries = resolve(value);
    else if (name === '--out' && value) options.out = value;
    else throw new UsageError(`no option '${argument}'; --help lists them`);
  }
  return options;
}
