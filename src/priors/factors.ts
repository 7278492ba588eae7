import { cholesky, solveLower } from "./linear-algebra.js";
import type { GaussianMixture } from "./mixture.js";

/**
 * A mixture as kernels/sampling/mixture-density wants it: R_k, the inverses of the lower Cholesky factors of the covariances
 * (which must have full rank), and ln w_k + ln det R_k - D/2 ln 2 pi.
 */
export function inverseFactors({ dims, weights, means, covs }: GaussianMixture) {
  const size = dims * dims;
  const factors = new Float32Array(weights.length * size);
  const logs = new Float32Array(weights.length);
  for (let k = 0; k < weights.length; k++) {
    const { lower } = cholesky(covs.slice(k * size, (k + 1) * size), dims);
    const inverse = new Float64Array(size);
    let log = Math.log(weights[k]!) - (dims / 2) * Math.log(2 * Math.PI);
    for (let d = 0; d < dims; d++) {
      inverse[d * dims + d] = 1;
      log -= Math.log(lower[d * dims + d]!);
    }
    solveLower(lower, inverse, dims, dims);
    factors.set(inverse, k * size);
    // A weight of zero: below everything, and finite.
    logs[k] = Math.max(log, -1e30);
  }
  return { means: Float32Array.from(means), factors, logs };
}
