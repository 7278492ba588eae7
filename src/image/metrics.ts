import { NcvsdError } from "../errors.js";
import type { BatchShape } from "./pixels.js";

/** Side of SSIM's Gaussian window and its standard deviation, in pixels. */
const WINDOW = 11;
const WINDOW_STD = 1.5;
/** (0.01)^2 and (0.03)^2: the values run from 0 to 1. */
const C1 = 1e-4;
const C2 = 9e-4;
/** Larger images are averaged down to about this side before SSIM, as piq does. */
const SSIM_SIDE = 256;

/** The network's range [-1, 1] to [0, 1]; what lies outside is clipped. */
const unit = (v: number) => Math.min(Math.max(v / 2 + 0.5, 0), 1);

function checkPair(x: ArrayLike<number>, truth: ArrayLike<number>, [n, c, h, w]: BatchShape): void {
  for (const [name, values] of [
    ["the images", x],
    ["the truth", truth],
  ] as const) {
    if (values.length !== n * c * h * w)
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `${name}: ${values.length} values do not fill a batch of shape [${n}, ${c}, ${h}, ${w}]`,
      );
  }
}

/**
 * Peak signal-to-noise ratio in dB of every image of a batch, as piq 0.8 defines it: -10 log10(mean((x - t)^2) + 1e-8) on
 * values mapped to [0, 1] and clipped; identical images give 80.
 * @param x NCHW values in the network's range [-1, 1]
 * @param truth the same shape
 * @returns N values
 * @throws NcvsdError BAD_ARGUMENT when the values do not fill the shape
 */
export function psnr(x: ArrayLike<number>, truth: ArrayLike<number>, shape: BatchShape): Float64Array {
  checkPair(x, truth, shape);
  const [n, c, h, w] = shape;
  const size = c * h * w;
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let k = i * size; k < (i + 1) * size; k++) sum += (unit(x[k]!) - unit(truth[k]!)) ** 2;
    return -10 * Math.log10(sum / size + 1e-8);
  });
}

/**
 * A picture after the shift of at most `reach` pixels, with or without a rotation by 180 degrees, that fits the truth best: what
 * Fourier amplitudes cannot tell apart. Pixels that come in from outside are black (-1).
 * @param x one image, C*H*W values in [-1, 1]
 * @returns the picture, clipped to [-1, 1], and its PSNR in dB
 * @throws NcvsdError BAD_ARGUMENT when the values do not fill the shape
 */
export function aligned(
  x: ArrayLike<number>,
  truth: ArrayLike<number>,
  [c, h, w]: readonly [number, number, number],
  reach: number,
): { readonly picture: Float32Array; readonly psnr: number } {
  checkPair(x, truth, [1, c, h, w]);
  const goal = Float64Array.from(truth, unit);
  const own = Float64Array.from(x, unit);
  const turned = own.slice();
  for (let ch = 0; ch < c; ch++) turned.subarray(ch * h * w, (ch + 1) * h * w).reverse();
  let [least, best] = [Infinity, { picture: own, dy: 0, dx: 0 }];
  for (const picture of [own, turned]) {
    for (let dy = -reach; dy <= reach; dy++)
      for (let dx = -reach; dx <= reach; dx++) {
        const error = shiftedError(picture, goal, [c, h, w], dy, dx, least);
        if (error < least) [least, best] = [error, { picture, dy, dx }];
      }
  }
  const { picture, dy, dx } = best;
  const shifted = new Float32Array(c * h * w).fill(-1);
  for (let row = 0; row < c * h; row++) {
    const from = (row % h) - dy;
    if (from < 0 || from >= h) continue;
    for (let col = Math.max(0, dx); col < Math.min(w, w + dx); col++)
      shifted[row * w + col] = 2 * picture[(row - dy) * w + col - dx]! - 1;
  }
  return { picture: shifted, psnr: -10 * Math.log10(least / (c * h * w) + 1e-8) };
}

/** Sum of squared differences of a picture shifted by (dy, dx) and the goal; may stop early above `limit`. */
function shiftedError(
  picture: Float64Array,
  goal: Float64Array,
  [c, h, w]: readonly [number, number, number],
  dy: number,
  dx: number,
  limit: number,
): number {
  let sum = 0;
  for (let row = 0; row < c * h && sum < limit; row++) {
    const from = (row % h) - dy;
    const start = (row - dy) * w - dx;
    for (let col = 0; col < w; col++) {
      const inside = from >= 0 && from < h && col >= dx && col < w + dx;
      sum += ((inside ? picture[start + col]! : 0) - goal[row * w + col]!) ** 2;
    }
  }
  return sum;
}

/**
 * Structural similarity (Wang et al. 2004) of every image of a batch, as piq 0.8 defines it: values mapped to [0, 1] and
 * clipped; images averaged over s x s cells, s = max(1, round(min(H, W) / 256)); an 11 x 11 Gaussian window of standard
 * deviation 1.5 at valid positions only; mean over positions and channels.
 * @param x NCHW values in the network's range [-1, 1]
 * @param truth the same shape
 * @returns N values, 1 for identical images
 * @throws NcvsdError BAD_ARGUMENT when the values do not fill the shape, or an image is smaller than the window
 */
export function ssim(x: ArrayLike<number>, truth: ArrayLike<number>, shape: BatchShape): Float64Array {
  checkPair(x, truth, shape);
  const [n, c, h, w] = shape;
  const s = Math.max(1, roundTiesToEven(Math.min(h, w) / SSIM_SIDE));
  const [ph, pw] = [Math.floor(h / s), Math.floor(w / s)];
  if (Math.min(ph, pw) < WINDOW)
    throw new NcvsdError("BAD_ARGUMENT", `SSIM needs images of at least ${WINDOW}x${WINDOW} pixels, not ${w}x${h}`);
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let ch = 0; ch < c; ch++) {
      const at = (i * c + ch) * h * w;
      sum += planeSsim(pooled(x, at, h, w, s), pooled(truth, at, h, w, s), ph, pw);
    }
    return sum / c;
  });
}

function roundTiesToEven(v: number): number {
  const floor = Math.floor(v);
  if (v - floor !== 0.5) return Math.round(v);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** One plane in [0, 1], averaged over cells of s x s pixels; incomplete cells are dropped. */
function pooled(values: ArrayLike<number>, at: number, h: number, w: number, s: number): Float64Array {
  const [ph, pw] = [Math.floor(h / s), Math.floor(w / s)];
  const out = new Float64Array(ph * pw);
  for (let y = 0; y < ph * s; y++) {
    const row = Math.floor(y / s) * pw;
    for (let xx = 0; xx < pw * s; xx++) out[row + Math.floor(xx / s)]! += unit(values[at + y * w + xx]!) / (s * s);
  }
  return out;
}

function planeSsim(a: Float64Array, b: Float64Array, h: number, w: number): number {
  const times = (p: Float64Array, q: Float64Array) => p.map((v, i) => v * q[i]!);
  const [ma, mb] = [blur(a, h, w), blur(b, h, w)];
  const [aa, bb, ab] = [blur(times(a, a), h, w), blur(times(b, b), h, w), blur(times(a, b), h, w)];
  let sum = 0;
  for (let i = 0; i < ma.length; i++) {
    const [x, y] = [ma[i]!, mb[i]!];
    const [sxx, syy, sxy] = [aa[i]! - x * x, bb[i]! - y * y, ab[i]! - x * y];
    sum += ((2 * x * y + C1) * (2 * sxy + C2)) / ((x * x + y * y + C1) * (sxx + syy + C2));
  }
  return sum / ma.length;
}

const TAPS: readonly number[] = (() => {
  const taps = Array.from({ length: WINDOW }, (_, i) =>
    Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * WINDOW_STD ** 2)),
  );
  const sum = taps.reduce((p, q) => p + q, 0);
  return taps.map((t) => t / sum);
})();

/** The window's weighted means at the (h - 10) x (w - 10) valid positions: rows, then columns. */
function blur(plane: Float64Array, h: number, w: number): Float64Array {
  const [oh, ow] = [h - WINDOW + 1, w - WINDOW + 1];
  const rows = new Float64Array(h * ow);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < ow; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += TAPS[k]! * plane[y * w + x + k]!;
      rows[y * ow + x] = sum;
    }
  }
  const out = new Float64Array(oh * ow);
  for (let y = 0; y < oh; y++) {
    for (let x = 0; x < ow; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += TAPS[k]! * rows[(y + k) * ow + x]!;
      out[y * ow + x] = sum;
    }
  }
  return out;
}
