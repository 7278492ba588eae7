/** What the three kernels of attention's backward pass share: parameters, shape rules, the float64 definition, test inputs. */
import type { Case, Inputs } from "../../src/gpu/contract.js";
import { addressable, inRange, positiveInteger } from "./check.js";

export interface AttentionBackwardParams {
  readonly batch: number;
  readonly heads: number;
  /** Channels of one head, at most 4096. */
  readonly headDim: number;
  /** Height times width. */
  readonly pixels: number;
}

/** eps of `normalize` (EDM2). */
const EPS = 1e-4;

export function checkAttention(kernel: string, params: AttentionBackwardParams): void {
  const { batch, heads, headDim, pixels } = params;
  for (const name of ["batch", "heads", "headDim", "pixels"] as const) positiveInteger(kernel, name, params[name]);
  inRange(kernel, "headDim", headDim, 1, 4096);
  addressable(kernel, "qkv", batch, heads, headDim, 3, pixels);
  addressable(kernel, "norms", batch, heads, 4, paddedPixels(params));
}

/** Entries of a row of `norms` and `totals`: whole quads, padded with the last pixel's value. */
export function paddedPixels({ pixels }: { readonly pixels: number }): number {
  return 4 * Math.ceil(pixels / 4);
}

/** r of q, k, v and e = sum over the head of g y, in float64: [N * heads, 4, padded P]. */
export function normsOf(params: AttentionBackwardParams, { qkv, y, g }: Inputs): Float64Array {
  const { batch, heads, headDim: d, pixels } = params;
  const padded = paddedPixels(params);
  const norms = new Float64Array(batch * heads * 4 * padded);
  for (let head = 0; head < batch * heads; head++) {
    for (let i = 0; i < padded; i++) {
      const pixel = Math.min(i, pixels - 1);
      for (let part = 0; part < 4; part++) {
        let sum = 0;
        for (let c = head * d; c < (head + 1) * d; c++) {
          sum +=
            part < 3 ? qkv![(3 * c + part) * pixels + pixel]! ** 2 : g![c * pixels + pixel]! * y![c * pixels + pixel]!;
        }
        norms[(4 * head + part) * padded + i] = part < 3 ? Math.sqrt(sum / d) : sum;
      }
    }
  }
  return norms;
}

/** One head in float64, from the norms that are given. Rows are [d, P] or [P]. */
export interface Head {
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  readonly g: Float64Array;
  /** r of q, k, v; e of a query. */
  readonly r: readonly [Float64Array, Float64Array, Float64Array];
  readonly e: Float64Array;
  /** exp(S) of a query and a key, and g v^. */
  weight(query: number, key: number): number;
  gradient(query: number, key: number): number;
}

export function headOf(params: AttentionBackwardParams, { qkv, g, norms }: Inputs, head: number): Head {
  const { headDim: d, pixels } = params;
  const padded = paddedPixels(params);
  const rows = (from: ArrayLike<number>, step: number, part: number) =>
    Float64Array.from({ length: d * pixels }, (_, at) => {
      const c = Math.floor(at / pixels);
      return from[(step * (head * d + c) + part) * pixels + (at % pixels)]!;
    });
  const norm = (part: number) =>
    Float64Array.from({ length: pixels }, (_, i) => norms![(4 * head + part) * padded + i]!);
  const [q, k, v] = [rows(qkv!, 3, 0), rows(qkv!, 3, 1), rows(qkv!, 3, 2)];
  const own = rows(g!, 1, 0);
  const [rq, rk, rv] = [norm(0), norm(1), norm(2)];
  const dot = (a: Float64Array, i: number, b: Float64Array, j: number) => {
    let sum = 0;
    for (let at = 0; at < d * pixels; at += pixels) sum += a[at + i]! * b[at + j]!;
    return sum;
  };
  return {
    q,
    k,
    v,
    g: own,
    r: [rq, rk, rv],
    e: norm(3),
    weight: (i, j) => Math.exp(dot(q, i, k, j) / ((EPS + rq[i]!) * (EPS + rk[j]!) * Math.sqrt(d))),
    gradient: (i, j) => dot(own, i, v, j) / (EPS + rv[j]!),
  };
}

/** d normalize: rows x [d, P] of norm r and dy [d, P] to dx, put into row `part` of every channel of this head of gqkv. */
export function backThroughNorm(
  params: AttentionBackwardParams,
  { x, r, dy }: { x: Float64Array; r: Float64Array; dy: Float64Array },
  gqkv: Float64Array,
  head: number,
  part: number,
): void {
  const { headDim: d, pixels } = params;
  for (let i = 0; i < pixels; i++) {
    const s = EPS + r[i]!;
    let dot = 0;
    for (let c = 0; c < d; c++) dot += dy[c * pixels + i]! * x[c * pixels + i]!;
    const along = r[i] === 0 ? 0 : dot / (d * r[i]! * s);
    for (let c = 0; c < d; c++) {
      gqkv[((head * d + c) * 3 + part) * pixels + i] = (dy[c * pixels + i]! - x[c * pixels + i]! * along) / s;
    }
  }
}

/** Cases of the kernels over pairs of pixels; norms and sums of exponentials belong to the case's qkv, y and g. */
export const PAIR_CASES: readonly Case<AttentionBackwardParams>[] = [
  // Over one channel, the derivative of the norm is zero but for its eps: values of that size.
  { name: "one of everything", params: { batch: 1, heads: 1, headDim: 1, pixels: 1 }, qkv: tiny },
  { name: "odd sizes", params: { batch: 2, heads: 3, headDim: 5, pixels: 15 } },
  { name: "several tiles, the last not full", params: { batch: 1, heads: 2, headDim: 20, pixels: 71 } },
  { name: "several tiles of whole quads", params: { batch: 3, heads: 1, headDim: 33, pixels: 84 } },
  { name: "many pixels, the last quad not full", params: { batch: 2, heads: 1, headDim: 19, pixels: 141 } },
  { name: "many pixels of whole quads", params: { batch: 1, heads: 2, headDim: 12, pixels: 200 } },
  { name: "a wide head", params: { batch: 1, heads: 1, headDim: 131, pixels: 36 } },
  { name: "a wide head of odd length", params: { batch: 1, heads: 2, headDim: 67, pixels: 37 } },
  { name: "aligned q and k", params: { batch: 1, heads: 1, headDim: 64, pixels: 33 }, qkv: aligned(1 / 33) },
  {
    name: "aligned q and k of a wide head",
    params: { batch: 1, heads: 1, headDim: 256, pixels: 33 },
    qkv: aligned(1 / 33),
  },
  { name: "zero pixels", params: { batch: 1, heads: 2, headDim: 7, pixels: 41 }, qkv: zeros, scale: 1e-2 },
  { name: "values like eps", params: { batch: 1, heads: 2, headDim: 9, pixels: 40 }, qkv: tiny, scale: 1e-3 },
  { name: "16 x 16 pixels", params: { batch: 1, heads: 2, headDim: 64, pixels: 256 } },
].map(({ name, params, qkv, scale = 1 }) => ({ name, params, inputs: consistent(params, qkv, scale) }));

type Make = (length: number, random: () => number) => Float32Array;

/** Inputs in the order of the buffers: what later ones hold follows from the earlier ones. */
function consistent(params: AttentionBackwardParams, qkv: Make | undefined, scale: number) {
  const given: Record<string, Float32Array> = {};
  return (name: string, length: number, random: () => number) => {
    if (name === "qkv") given.qkv = qkv?.(length, random) ?? Float32Array.from({ length }, random);
    if (name === "g") given.g = Float32Array.from({ length }, () => scale * random());
    if (name === "norms") {
      const y = Float32Array.from(given.g!, () => random());
      given.norms = new Float32Array(normsOf(params, { ...given, y }));
    }
    if (name === "totals") given.totals = new Float32Array(totalsOf(params, given));
    return given[name];
  };
}

/** Sum of exp(S) of every query, [N * heads, padded P]. */
export function totalsOf(params: AttentionBackwardParams, inputs: Inputs): Float64Array {
  const { batch, heads, pixels } = params;
  const padded = paddedPixels(params);
  const totals = new Float64Array(batch * heads * padded);
  for (let head = 0; head < batch * heads; head++) {
    const { weight } = headOf(params, inputs, head);
    for (let i = 0; i < padded; i++) {
      let total = 0;
      for (let j = 0; j < pixels; j++) total += weight(Math.min(i, pixels - 1), j);
      totals[head * padded + i] = total;
    }
  }
  return totals;
}

/**
 * 33 pixels where every query is nearly plus or minus some keys (which grow by `growth`): logits almost as large as they can
 * be. Were q and k parallel, nothing but rounding errors would be left of their gradients.
 */
function aligned(growth: number): Make {
  return (length, random) => {
    const qkv = new Float32Array(length);
    for (let row = 0; row < length / 33; row += 3) {
      const value = random();
      for (let i = 0; i < 33; i++) {
        qkv[row * 33 + i] = i % 3 === 0 ? -value : value;
        qkv[(row + 1) * 33 + i] = ((i % 2 === 0 ? value : -value) + 0.2 * random()) * (1 + i * growth);
        qkv[(row + 2) * 33 + i] = random();
      }
    }
    return qkv;
  };
}

/** Of 41 pixels, some where q, some where k, some where v and one where all three are zero. */
function zeros(length: number, random: () => number): Float32Array {
  return Float32Array.from({ length }, (_, at) => {
    const pixel = at % 41;
    const part = Math.floor(at / 41) % 3;
    return pixel % 5 === part || pixel === 38 ? 0 : random();
  });
}

/** Where the 1e-4 of the norms shows. */
function tiny(length: number, random: () => number): Float32Array {
  return Float32Array.from({ length }, () => 1e-4 * random());
}
