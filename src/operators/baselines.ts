import { normals } from "../../kernels/lib/philox.js";
import type { Operator } from "./operator.js";

/** Prior standard deviations that the Wiener filter tries, in the network's range. */
const WIENER_PRIORS = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8];
/** Iterations and random starts of error reduction. */
const REDUCTION_STEPS = 200;
const REDUCTION_STARTS = 4;
/** Sweeps of over-relaxation per pixel of the longer side, and its factor's bound. */
const SWEEPS_PER_PIXEL = 4;

/** Reconstructions of a batch by one simple method: N*C*H*W values. */
export type Baselines = Record<string, Float32Array>;

/** Measurements of a batch, as simple methods take them. */
export interface Measured {
  readonly operator: Operator;
  /** N measurements. */
  readonly y: Float32Array;
  readonly sigmaY: number;
  /** One per measurement. */
  readonly seeds: readonly number[];
  /** C*H*W zeros and ones, for inpainting. */
  readonly mask?: Float32Array;
}

/** Inpainting: the known pixels, and harmonic interpolation (Laplace's equation in the hole). */
export async function measurementAndHarmonic({ operator, y, seeds, mask }: Measured): Promise<Baselines> {
  return {
    measurement: y.map((v, i) => v * mask![i % mask!.length]!),
    harmonic: harmonic(y, mask!, operator.shape, seeds.length),
  };
}

/**
 * Blur: the measurement itself, and the Wiener filter of a white prior around the measurement's mean, its strength by the
 * discrepancy principle (the residual closest to the noise).
 */
export async function measurementAndWiener({ operator, y, sigmaY, seeds }: Measured): Promise<Baselines> {
  return { measurement: y, Wiener: await wiener(operator, y, sigmaY, seeds.length) };
}

/** A'y divided by A'1: with an antialiased bicubic A this is bicubic interpolation, its weights normalised at the border. */
export async function bicubic({ operator, y }: Measured): Promise<Baselines> {
  const up = await operator.adjoint!(y);
  const weight = await operator.adjoint!(new Float32Array(y.length).fill(1));
  return { bicubic: up.map((v, i) => v / weight[i]!) };
}

/** The posterior mean under N(mean of y, rho^2 I) for the rho whose residual is closest to the noise, per measurement. */
async function wiener(operator: Operator, y: Float32Array, sigma: number, batch: number): Promise<Float32Array> {
  const size = y.length / batch;
  const x = new Float32Array(y.length);
  for (let n = 0; n < batch; n++) {
    const own = y.subarray(n * size, (n + 1) * size);
    x.fill(own.reduce((a, b) => a + b, 0) / size, n * size, (n + 1) * size);
  }
  const noise = new Float32Array(y.length);
  const best = new Float32Array(y.length);
  const distance = new Float64Array(batch).fill(Infinity);
  for (const rho of WIENER_PRIORS) {
    const mean = await operator.sampleProximal!({ x, y, sigma, rho, noise });
    const residuals = squaredResiduals(await operator.forward(mean), y, batch);
    residuals.forEach((r, n) => {
      const d = Math.abs(Math.log(r / (size * sigma ** 2)));
      if (d >= distance[n]!) return;
      distance[n] = d;
      best.set(mean.subarray(n * size, (n + 1) * size), n * size);
    });
  }
  return best;
}

/** ||a - y||^2 of every measurement of a batch, over the entries that `mask` has (all without one). */
export function squaredResiduals(a: Float32Array, y: Float32Array, batch: number, mask?: Float32Array): Float64Array {
  const size = y.length / batch;
  return Float64Array.from({ length: batch }, (_, n) => {
    let sum = 0;
    for (let i = 0; i < size; i++) if (mask?.[i] !== 0) sum += (a[n * size + i]! - y[n * size + i]!) ** 2;
    return sum;
  });
}

/**
 * Phase retrieval: Fienup's error reduction (1982), the best fit of four random starts: alternate between the measured amplitudes
 * and the known range of the pixels. Replacing the amplitudes is a gradient step: x - 2 grad E for x in [-1, 1], E = ||A(x) - y||^2;
 * of other operators one of length 1 / curvature.
 */
export async function errorReduction({ operator, y, seeds }: Measured): Promise<Baselines> {
  const batch = seeds.length;
  const image = operator.shape.reduce((a, b) => a * b, 1);
  const length = 1 / (operator.curvature ?? 0.5);
  const best = new Float32Array(batch * image);
  const lowest = new Float64Array(batch).fill(Infinity);
  for (let start = 0; start < REDUCTION_STARTS; start++) {
    let x = new Float32Array(batch * image);
    seeds.forEach((seed, n) => {
      // Draw 0 of the seed is the measurement's noise.
      x.set(normals(seed, start + 1, image), n * image);
    });
    for (let step = 0; step < REDUCTION_STEPS; step++) {
      const gradient = await operator.energyGradient!({ x, y });
      x = x.map((v, i) => Math.min(1, Math.max(-1, v - length * gradient[i]!)));
    }
    squaredResiduals(await operator.forward(x), y, batch).forEach((r, n) => {
      if (r >= lowest[n]!) return;
      lowest[n] = r;
      best.set(x.subarray(n * image, (n + 1) * image), n * image);
    });
  }
  return { "error reduction": best };
}

/** Laplace's equation in the unknown pixels with the known ones as boundary, by successive over-relaxation. */
export function harmonic(
  y: Float32Array,
  mask: Float32Array,
  [c, h, w]: readonly [number, number, number],
  batch: number,
): Float32Array {
  const out = y.slice();
  const longer = Math.max(h, w);
  const relax = 2 / (1 + Math.sin(Math.PI / longer));
  for (let plane = 0; plane < batch * c; plane++) {
    const at = plane * h * w;
    const known = mask.subarray((plane % c) * h * w, ((plane % c) + 1) * h * w);
    const holes = [...known.keys()].filter((p) => known[p] === 0);
    let sum = 0;
    for (let p = 0; p < h * w; p++) if (known[p]) sum += y[at + p]!;
    const start = sum / Math.max(1, h * w - holes.length);
    for (const p of holes) out[at + p] = start;
    for (let sweep = 0; sweep < longer * SWEEPS_PER_PIXEL; sweep++) {
      for (const p of holes) {
        const [r, q] = [Math.floor(p / w), p % w];
        let total = 0;
        let count = 0;
        if (r > 0) [total, count] = [total + out[at + p - w]!, count + 1];
        if (r < h - 1) [total, count] = [total + out[at + p + w]!, count + 1];
        if (q > 0) [total, count] = [total + out[at + p - 1]!, count + 1];
        if (q < w - 1) [total, count] = [total + out[at + p + 1]!, count + 1];
        out[at + p]! += relax * (total / count - out[at + p]!);
      }
    }
  }
  return out;
}
