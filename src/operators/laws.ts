/** One piece of a density on a line: its logarithm, smooth between `low` and `high`, outside of which it is 0 or negligible. */
export interface Piece {
  readonly low: number;
  readonly high: number;
  log(v: number): number;
}

/** e^-40 is below the rounding of float64 by far. */
const FALL = 40;

/** The part of [low, high], either end may be infinite, in which N(mean, deviation^2) is within e^-40 of its largest there. */
export function normalPiece(
  mean: number,
  deviation: number,
  low: number,
  high: number,
  log: (v: number) => number,
): Piece {
  const nearest = Math.min(high, Math.max(low, mean));
  const away = Math.abs(nearest - mean) / deviation;
  const reach = (deviation * 2 * FALL) / (away + Math.sqrt(away * away + 2 * FALL));
  return { low: Math.max(low, nearest - reach), high: Math.min(high, nearest + reach), log };
}

/** Mean, variance and, at `at`, the distribution function of a density of a few pieces in order, by 64 points of Gauss and Legendre each. */
export function lawOf(pieces: readonly Piece[], at?: number): { mean: number; variance: number; cdf?: number } {
  const largest = Math.max(...pieces.map(({ low, high, log }) => peak(low, high, log)));
  // About one point of the law: its own mean would cancel where the law is narrow.
  const origin = pieces.find(({ low, high, log }) => peak(low, high, log) === largest)!.low;
  let [mass, first] = [0, 0];
  for (const { low, high, log } of pieces)
    integrate(low, high, (v, weight) => {
      const part = weight * Math.exp(log(v) - largest);
      mass += part;
      first += part * (v - origin);
    });
  const shift = first / mass;
  let variance = 0;
  for (const { low, high, log } of pieces)
    integrate(low, high, (v, weight) => {
      variance += weight * Math.exp(log(v) - largest) * (v - origin - shift) ** 2;
    });
  const moments = { mean: origin + shift, variance: variance / mass };
  if (at === undefined) return moments;
  let below = 0;
  for (const { low, high, log } of pieces)
    if (at > low)
      integrate(low, Math.min(high, at), (v, weight) => {
        below += weight * Math.exp(log(v) - largest);
      });
  return { ...moments, cdf: Math.min(1, below / mass) };
}

/** Largest of a few values of a log density: enough to keep its exponential in range. */
function peak(low: number, high: number, log: (v: number) => number): number {
  let largest = -Infinity;
  integrate(low, high, (v) => {
    largest = Math.max(largest, log(v));
  });
  return largest;
}

const POINTS = 64;

/** Nodes and weights of Gauss and Legendre on [-1, 1], by Newton's steps on the Legendre polynomial. */
const [NODES, WEIGHTS] = (() => {
  const nodes = new Float64Array(POINTS);
  const weights = new Float64Array(POINTS);
  for (let i = 0; i < POINTS; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (POINTS + 0.5));
    let slope = 0;
    for (let step = 0; step < 6; step++) {
      let [before, value] = [1, x];
      for (let k = 2; k <= POINTS; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
      slope = (POINTS * (x * value - before)) / (x * x - 1);
      x -= value / slope;
    }
    nodes[i] = x;
    weights[i] = 2 / ((1 - x * x) * slope * slope);
  }
  return [nodes, weights];
})();

function integrate(low: number, high: number, add: (v: number, weight: number) => void): void {
  if (!(high > low)) return;
  const half = (high - low) / 2;
  for (let i = 0; i < POINTS; i++) add(low + half * (1 + NODES[i]!), half * WEIGHTS[i]!);
}

/** The law of v where w = v + s n is known to lie in [low, high] and v ~ N(x, rho^2). */
export function cellLawOf(x: number, s: number, rho: number, low: number, high: number) {
  const d = Math.hypot(rho, s);
  const share = (rho / d) ** 2;
  const w = lawOf([normalPiece(x, d, low, high, (v) => -(((v - x) / d) ** 2) / 2)]);
  return { mean: x + share * (w.mean - x), variance: share * share * w.variance + share * s * s };
}
