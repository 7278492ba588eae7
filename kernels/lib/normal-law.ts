/** The normal distribution in float64, with its tails: what kernels/lib/normal-law.wgsl computes in single precision. */
import type { SourcePart } from "../../src/gpu/contract.js";
import exp from "./exp.wgsl.js";
import math from "./math.wgsl.js";
import normalLaw from "./normal-law.wgsl.js";

/** What a kernel that draws by quantiles has in front of its own text. */
export const normalLawParts: readonly SourcePart[] = [
  { file: "kernels/lib/math.wgsl", text: math },
  { file: "kernels/lib/exp.wgsl", text: exp },
  { file: "kernels/lib/normal-law.wgsl", text: normalLaw },
];

const LOG_ROOT_2PI = 0.5 * Math.log(2 * Math.PI);

/** Mills' ratio Q(t) / phi(t) for t >= 0, within 1e-14: a series up to 2.5, a continued fraction above. */
function mills(t: number): number {
  if (t < 2.5) {
    let [term, sum] = [t, t];
    for (let k = 3; term > 1e-17 * sum; k += 2) {
      term *= (t * t) / k;
      sum += term;
    }
    return Math.sqrt(Math.PI / 2) * Math.exp((t * t) / 2) - sum;
  }
  let tail = t;
  for (let k = Math.ceil(12 + 400 / (t * t)); k >= 1; k--) tail = t + k / tail;
  return 1 / tail;
}

/** ln Q(t), Q the upper tail of the standard normal distribution. */
export function logTail(t: number): number {
  const u = Math.abs(t);
  const far = Math.log(mills(u)) - LOG_ROOT_2PI - (u * u) / 2;
  return t >= 0 ? far : Math.log1p(-Math.exp(far));
}

/** -ln(Q(from + s) / Q(from)) for s >= 0: of from >= 0 without the cancellation of the squares. */
function drop(from: number, s: number): number {
  if (s === 0) return 0;
  if (s === Infinity) return Infinity;
  if (from < 0) return logTail(from) - logTail(from + s);
  return s * (from + s / 2) + Math.log(mills(from) / mills(from + s));
}

/** ln of the normal probability of [low, high]; either may be infinite. */
export function logMass(low: number, high: number): number {
  if (low + high < 0) return logMass(-high, -low);
  if (low === -Infinity) return 0;
  const fallen = drop(low, high - low);
  return logTail(low) + Math.log(-Math.expm1(-fallen));
}

/** The quantile of N(m, d^2) truncated to [a, b] at probability p, q = 1 - p; by bisection, seen from the edge nearest to m. */
export function truncatedQuantile(m: number, d: number, a: number, b: number, p: number, q: number): number {
  const [low, high] = [(a - m) / d, (b - m) / d];
  if (low + high < 0) return -truncatedQuantile(-m, d, -b, -a, q, p);
  // From -Infinity nothing can be measured; 40 deviations below the mean nothing is left.
  const from = Math.max(low, -40);
  const span = high - from;
  const whole = drop(from, span);
  const goal = p <= 0.5 ? -Math.log1p(p * Math.expm1(-whole)) : -Math.log(q + p * Math.exp(-whole));
  let [near, far] = [0, Math.min(span, 80)];
  for (let step = 0; step < 100; step++) {
    const middle = (near + far) / 2;
    if (drop(from, middle) < goal) near = middle;
    else far = middle;
  }
  return from === low ? a + d * near : m + d * (from + near);
}

/** The z with standard normal distribution function u, 0 < u < 1, exact also where u is small. */
export function normalQuantile(u: number): number {
  if (u > 0.5) return -normalQuantile(1 - u);
  return truncatedQuantile(0, 1, -Infinity, Infinity, u, 1 - u);
}
