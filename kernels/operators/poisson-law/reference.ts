import type { Inputs } from "../../../src/gpu/contract.js";
import { logTail } from "../../lib/normal-law.js";

export interface PoissonLawParams {
  readonly batch: number;
  /** Values of one image. */
  readonly elements: number;
  /** Counts of a pixel of value 1, less those of a pixel of value -1. */
  readonly peak: number;
  /** Counts of a pixel of value -1. */
  readonly background: number;
}

export function reference({ batch, elements, peak, background }: PoissonLawParams, { x, measured, z, level }: Inputs) {
  const t = (peak * level![1]!) / 2;
  const y = Float64Array.from({ length: batch * elements }, (_, i) => {
    const mu = (peak * (x![i]! + 1)) / 2 + background;
    const n = measured![i]!;
    const b = mu - t * t;
    const root = Math.sqrt(b * b + 4 * n * t * t);
    const mode = b < 0 ? (2 * n * t * t) / (root - b) : (b + root) / 2;
    const log = (l: number) =>
      (n === 0 ? 0 : n * Math.log(l / mode)) - (l - mode) - ((l - mode) * (l + mode - 2 * mu)) / (2 * t * t);
    /** Where the log density has fallen by 36, between the mode and a point beyond. */
    const end = (beyond: number) => {
      let [near, far] = [mode, beyond];
      for (let step = 0; step < 80; step++) {
        const middle = (near + far) / 2;
        if (log(middle) > -36) near = middle;
        else far = middle;
      }
      return far;
    };
    let beyond = mode + t;
    while (log(beyond) > -36) beyond = mode + 2 * (beyond - mode);
    const [low, high] = [end(0), end(beyond)];
    // Middles of 20,000 cells, and a straight line inside the cell.
    const cells = 20_000;
    const w = (high - low) / cells;
    const masses = Float64Array.from({ length: cells }, (_, cell) => Math.exp(log(low + (cell + 0.5) * w)));
    const total = masses.reduce((sum, v) => sum + v, 0);
    const above = z![i]! > 0;
    let rest = Math.exp(logTail(Math.abs(z![i]!))) * total;
    let cell = 0;
    const mass = (at: number) => masses[above ? cells - 1 - at : at]!;
    while (cell < cells - 1 && rest > mass(cell)) rest -= mass(cell++);
    const along = (cell + rest / mass(cell)) * w;
    const l = above ? high - along : low + along;
    return (2 * (l - background)) / peak - 1;
  });
  return { y };
}
