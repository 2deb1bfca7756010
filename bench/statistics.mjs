// Medians, their spread, and what may be concluded from them. Nothing is assumed about how the noise
// is distributed: an interval is made of two of the measured values themselves.

/** Half of the values are below; of an even number, the mean of the two in the middle. */
export function median(values) {
  if (values.length === 0) throw new Error('median of no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How probable it is that the true median lies between the k-th smallest and the k-th largest of n. */
export function coverage(n, k) {
  let below = 0;
  let choose = 1;
  for (let i = 0; i < k; i++) {
    below += choose;
    choose = (choose * (n - i)) / (i + 1);
  }
  return 1 - (2 * below) / 2 ** n;
}

export const kConfidence = 0.9;

/**
 * The narrowest pair of measured values that holds the true median with kConfidence; smallest and
 * largest where there are too few (below five) for that.
 */
export function interval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let k = 1;
  while (k + 1 <= n / 2 && coverage(n, k + 1) >= kConfidence) k++;
  return [sorted[k - 1], sorted[n - k]];
}

/** A series of repetitions: median, interval, and half its width in percent of the median. */
export function summary(values) {
  const middle = median(values);
  const [low, high] = interval(values);
  return { median: middle, low, high, spread_percent: middle === 0 ? 0 : ((high - low) / 2 / Math.abs(middle)) * 100, runs: values.length };
}

/**
 * How `ours` stands to `theirs`. Runs of one round are neighbours in time, so the interval comes from
 * the ratios of the rounds, which what slows the whole machine hardly moves; the figure itself is the
 * ratio of the medians. Rounds in which one of them was not measured (undefined) do not count.
 */
export function ratio(ours, theirs) {
  const pairs = ours.map((value, round) => [value, theirs[round]]).filter(([a, b]) => a !== undefined && b > 0);
  if (pairs.length === 0) return undefined;
  const value = median(pairs.map(([a]) => a)) / median(pairs.map(([, b]) => b));
  const [low, high] = interval(pairs.map(([a, b]) => a / b));
  return { value, low: Math.min(low, value), high: Math.max(high, value), runs: pairs.length };
}

/** A figure that is judged as it is and not against another one. */
export function absolute(values) {
  const { median: value, low, high, runs } = summary(values);
  return { value, low, high, runs };
}

/**
 * 'met' or 'missed' only if all of the interval says so; else 'within spread': this run cannot tell.
 * `goal` is {at_least} or {at_most}, with `strictly` where equal is not enough.
 */
export function verdict(figure, goal) {
  const holds = (value) => {
    if (goal.at_least !== undefined) return goal.strictly ? value > goal.at_least : value >= goal.at_least;
    return goal.strictly ? value < goal.at_most : value <= goal.at_most;
  };
  const low = holds(figure.low);
  const high = holds(figure.high);
  if (low && high) return 'met';
  return low || high || holds(figure.value) ? 'within spread' : 'missed';
}

/** Worse than `before` beyond the spread of both: the intervals are apart, on the wrong side. */
export function lost(now, before, goal) {
  return goal.at_least !== undefined ? now.high < before.low : now.low > before.high;
}
