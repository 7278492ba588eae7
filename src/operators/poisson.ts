import { pointMeasure } from "../../kernels/operators/point-measure/kernel.js";
import { poissonLaw } from "../../kernels/operators/poisson-law/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkPositive, checkShape, volume } from "./check.js";
import { lawOf, type Piece } from "./laws.js";
import { type LawOperator, lawsOf, pointwiseOperator } from "./pointwise.js";

export interface PoissonOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** Expected counts of a pixel of value 1, less those of a pixel of value -1 (black). */
  readonly peak: number;
  /** Expected counts of a black pixel; default 0. */
  readonly background?: number;
}

/**
 * Counting: y ~ Poisson(l), l = peak (x + 1) / 2 + background; y is in counts, not divided by the peak, and `forward` gives
 * max(l, 0). There is no sigma. The posterior of every entry is log-concave and drawn exactly as its quantile; noise of zeros
 * gives the median.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function poisson(gpu: Gpu, options: PoissonOptions): LawOperator {
  checkKeys("poisson", options, { shape: true, peak: true, background: true });
  const shape = checkShape("poisson", options.shape);
  const peak = checkPositive("poisson", "peak", options.peak);
  const background = options.background ?? 0;
  if (typeof background !== "number" || !(background >= 0 && Number.isFinite(background)))
    throw bad(`poisson: background must be a finite number of counts, not below 0, got ${String(background)}.`);
  const [channels, height, width] = shape;
  return pointwiseOperator(gpu, {
    name: "poisson",
    shape,
    measurementShape: shape,
    forward(s) {
      const size = { batch: s.batch * channels, height, width };
      const params = { ...size, law: "counts", scale: peak, offset: background, gradient: false } as const;
      return s.graph.run("counts", pointMeasure, params, { x: s.input("x") }, { y: s.out([s.batch, ...shape]) }).y;
    },
    proximal(s) {
      const inputs = { x: s.input("x"), measured: s.input("y"), z: s.input("z"), level: s.input("level") };
      const params = { batch: s.batch, elements: volume(shape), peak, background };
      return s.graph.run("draw", poissonLaw, params, inputs, { y: s.out([s.batch, ...shape]) }).y;
    },
    withoutNoise: true,
    hasCdf: true,
    checkMeasurement(y) {
      const wrong = y.findIndex((n) => n < 0);
      if (wrong >= 0) throw bad(`poisson: y holds ${y[wrong]} at index ${wrong}: counts are not below 0.`);
    },
    lawOf: ({ x, y, rho, at }) =>
      lawsOf(x.length, at, (i, where) => {
        const counts = (v: number) => (peak * (v + 1)) / 2 + background;
        const piece = countPiece(y[i]!, counts(x[i]!), (peak * rho) / 2);
        const law = lawOf([piece], where === undefined ? undefined : counts(where));
        const scale = 2 / peak;
        return { ...law, mean: scale * (law.mean - background) - 1, variance: scale * scale * law.variance };
      }),
  });
}

/** The density of the expected count l > 0: l^n exp(-l - (l - mu)^2 / 2 t^2), formed relative to its mode. */
function countPiece(n: number, mu: number, t: number): Piece {
  const b = mu - t * t;
  const root = Math.sqrt(b * b + 4 * n * t * t);
  const mode = b < 0 ? (2 * n * t * t) / (root - b) : (b + root) / 2;
  const slope = n === 0 ? Math.min(0, b / (t * t)) : 0;
  const log = (l: number) => {
    const e = l - mode;
    const counted = n === 0 ? 0 : n * (Math.log1p(e / mode) - e / mode);
    return counted + slope * e - ((e / t) * (e / t)) / 2;
  };
  /** Where it has fallen by 40: it is log-concave. */
  const end = (beyond: number) => {
    let [near, far] = [mode, beyond];
    for (let step = 0; step < 60; step++) {
      const middle = (near + far) / 2;
      if (log(middle) > -40) near = middle;
      else far = middle;
    }
    return far;
  };
  return { low: end(0), high: end(mode + 9 * t), log };
}
