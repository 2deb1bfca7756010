// The emergency procedure with very many live sessions: how long the script takes, and that nothing is lost.
//   node tests/scale/emergency.mjs [--sessions=1000] [--printing] [--times=2]
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { root } from '../ctl/support.mjs';
import { ask, crowdPlace, fill, flag, number, printed } from './crowd.mjs';

const sessions = number('sessions', 1000);
const kPrinting = 'exec {never}<> <(:)\nfor ((i = 0; ; i++)); do echo "line $i"; read -rt 1 -u "$never"; done';
const place = await crowdPlace(flag('printing') ? kPrinting : 'exec cat');
try {
  await place.serve();
  await fill(place, sessions);
  if (flag('printing')) await printed(place, 12);
  for (let time = 0; time < number('times', 2); ++time) {
    await ask(place, '/api/admin/feature-flags', { terminal_refactor: true, force: true });
    const begun = performance.now();
    const run = await place.start(join(root, 'tools/emergency-rollback.sh'), flag('bundle') ? [] : ['--no-bundle']).ended();
    const wall = performance.now() - begun;
    assert.equal(run.status, 0, run.output);
    const report = JSON.parse(run.stdout);
    const { flip } = report.steps.find((step) => step.flip);
    assert.deepEqual([flip.moved, flip.lost, flip.failed.length], [sessions, 0, 0]);
    assert.equal(flip.offsets_sha256.before, flip.offsets_sha256.after);
    assert.deepEqual(report.steps.at(-1).tiers, { live: sessions });
    console.log(JSON.stringify({
      wall_ms: Math.round(wall), report_ms: report.duration_ms, flip_ms: flip.duration_ms,
      steps: report.steps.map(({ name, duration_ms }) => `${name}: ${duration_ms}`),
    }));
  }
} finally {
  await place.remove();
}
