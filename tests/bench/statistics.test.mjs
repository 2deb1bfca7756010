import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coverage, interval, kConfidence, lost, median, ratio, summary, verdict } from '../../bench/statistics.mjs';

test('the median is the middle value, or the mean of the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.throws(() => median([]), /no values/);
});

test('an interval is as narrow as the confidence allows, and all values where there are few', () => {
  // Binomial: with n = 8 the second from each end holds the median with 1 - 2 (1 + 8) / 256.
  assert.equal(coverage(8, 2), 1 - 18 / 256);
  assert.ok(coverage(8, 2) >= kConfidence && coverage(7, 2) < kConfidence);
  assert.deepEqual(interval([8, 1, 2, 3, 4, 5, 6, 7]), [2, 7]);
  assert.deepEqual(interval([7, 1, 2, 3, 4, 5, 6]), [1, 7]);
  assert.deepEqual(interval([3, 1, 2]), [1, 3]);
  assert.deepEqual(interval([5]), [5, 5]);
});

test('an interval holds the true median of skewed noise as often as it claims', () => {
  let state = 12345;
  const random = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  let held = 0;
  const tries = 2000;
  for (let i = 0; i < tries; i++) {
    const [low, high] = interval(Array.from({ length: 9 }, () => -Math.log(1 - random())));
    held += low <= Math.LN2 && Math.LN2 <= high;
  }
  assert.ok(held / tries > 0.93, `${held} of ${tries}`); // 96.1 % by the binomial
});

test('a summary says the spread in percent of the median', () => {
  assert.deepEqual(summary([90, 100, 120]), { median: 100, low: 90, high: 120, spread_percent: 15, runs: 3 });
});

test('a ratio pairs the rounds, so a slow minute of the machine does not widen it', () => {
  const { value, low, high } = ratio([100, 50, 200], [50, 25, 100]);
  assert.deepEqual([value, low, high], [2, 2, 2]);
  const uneven = ratio([100, 100, 100], [50, 100, 25]);
  assert.equal(uneven.value, 2);
  assert.deepEqual([uneven.low, uneven.high], [1, 4]);
});

test('rounds that one of both did not do count for neither', () => {
  assert.deepEqual(ratio([100, undefined, 300], [50, 10, undefined]), { value: 2, low: 2, high: 2, runs: 1 });
  assert.equal(ratio([undefined], [1]), undefined);
});

test('a difference within the spread is neither met nor missed', () => {
  const figure = (low, value, high) => ({ low, value, high });
  assert.equal(verdict(figure(2.6, 3, 3.2), { at_least: 2.5 }), 'met');
  assert.equal(verdict(figure(2.4, 3, 3.2), { at_least: 2.5 }), 'within spread');
  assert.equal(verdict(figure(2.0, 2.2, 2.6), { at_least: 2.5 }), 'within spread');
  assert.equal(verdict(figure(2.0, 2.2, 2.4), { at_least: 2.5 }), 'missed');
  assert.equal(verdict(figure(0.2, 0.3, 0.35), { at_most: 0.35 }), 'met');
  assert.equal(verdict(figure(0.9, 1, 1), { at_most: 1, strictly: true }), 'within spread');
  assert.equal(verdict(figure(1.01, 1.1, 1.2), { at_most: 1 }), 'missed');
});

test('a loss is one beyond the spread of both runs, in the wrong direction', () => {
  const before = { low: 2, value: 2.2, high: 2.4 };
  assert.ok(lost({ low: 1.5, value: 1.7, high: 1.9 }, before, { at_least: 0 }));
  assert.ok(!lost({ low: 1.5, value: 1.7, high: 2.0 }, before, { at_least: 0 }));
  assert.ok(!lost({ low: 2.5, value: 2.7, high: 2.9 }, before, { at_least: 0 }));
  assert.ok(lost({ low: 2.5, value: 2.7, high: 2.9 }, before, { at_most: 0 }));
});
