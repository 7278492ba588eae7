import { hadamardPass } from "../../kernels/operators/hadamard-pass/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { checkInteger, checkShape } from "./check.js";
import type { GpuOperator } from "./gpu-operator.js";
import { alongAxis, selection } from "./line-maps.js";
import { linearOperator, type Place } from "./linear-operator.js";
import type { StageGraph } from "./stage-graph.js";

export interface HadamardOptions {
  /** C, H, W of one image; H and W must be powers of two. */
  readonly shape: readonly number[];
  /** In which order rows are kept; default "natural". */
  readonly order?: keyof typeof ORDERS | null;
  /** Keeps floor(H W / ratio) rows. */
  readonly ratio?: number;
  /** Keeps so many rows; absent, as is ratio: all. */
  readonly count?: number;
  /** The rows themselves, each from 0 to H W - 1 and once, in place of `order`. */
  readonly indices?: ArrayLike<number>;
}

/** A Hadamard operator tells which rows it keeps. */
export interface HadamardOperator extends GpuOperator {
  /** Rows of Sylvester's matrix in natural order. */
  readonly indices: Int32Array;
}

/**
 * Single-pixel measurements: rows of Sylvester's Hadamard matrix of order n = H W, entry (i, j) = (-1)^(number of common one bits of i
 * and j) / sqrt(n), of the picture flattened row by row; the same for all channels: [C, count]. A A' = I, so that the likelihood
 * step is one draw in closed form, with two fast transforms.
 *
 * Orders: "natural" 0, 1, 2, …; "sequency" by the number of sign changes (Walsh); "zigzag" and "xy" by the sequencies a, b of the two
 * axes, along diagonals, or by 4 a b + a^2 + b^2; "cakecutting" (Yu 2019) by pieces of the rows' patterns.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function hadamard(gpu: Gpu, options: HadamardOptions): HadamardOperator {
  const name = "hadamard";
  checkKeys(name, options, { shape: true, order: true, ratio: true, count: true, indices: true });
  const shape = checkShape(name, options.shape);
  const [channels, height, width] = shape;
  for (const [side, length] of [
    ["H", height],
    ["W", width],
  ] as const)
    if (!Number.isInteger(Math.log2(length)))
      throw bad(`${name}: ${side} must be a power of two, got ${length}: crop or pad the picture.`);
  const n = height * width;
  const indices = rowsOf(options, height, width);
  const back = new Array<number>(n).fill(-1);
  indices.forEach((row, k) => {
    back[row] = k;
  });
  const [select, scatter] = [selection(n, Array.from(indices)), selection(indices.length, back)];
  /** The orthonormal transform, which is its own inverse. */
  const transform = (s: StageGraph, tag: string, x: Tensor, to?: Place) => {
    let [value, done] = [x, 1];
    const radices = radicesOf(n);
    radices.forEach((radix, pass) => {
      const last = pass === radices.length - 1;
      const params = { rows: x.length / n, length: n, radix, done, factor: last ? 1 / Math.sqrt(n) : 1 };
      const y = last ? (to ?? x.shape) : x.shape;
      value = s.graph.run(`${tag} ${done}`, hadamardPass, params, { x: value }, { y }).y;
      done *= radix;
    });
    return value;
  };
  const operator = linearOperator(gpu, {
    name,
    shape,
    measurementShape: [channels, indices.length],
    gram: 1,
    forward: (s, x, to) => alongAxis(s, "select", transform(s, "transform", x), select, { to }),
    // A picture of one pixel has no pass that could put it in its place.
    adjoint: (s, y, to) =>
      n === 1
        ? alongAxis(s, "scatter", y, scatter, { to })
        : transform(s, "transform back", alongAxis(s, "scatter", y, scatter), to),
  });
  return Object.assign(operator, { indices });
}

/** Radices 16, 8 and 4 with as few passes as possible, as equal as possible. */
function radicesOf(n: number): number[] {
  const bits = Math.log2(n);
  const passes = Math.ceil(bits / 4);
  return Array.from({ length: passes }, (_, k) => 2 ** (Math.floor(bits / passes) + Number(k < bits % passes)));
}

function rowsOf(options: HadamardOptions, height: number, width: number): Int32Array {
  const n = height * width;
  const { order, ratio, count, indices } = options;
  if (ratio !== undefined && !(typeof ratio === "number" && ratio >= 1 && ratio <= n))
    throw bad(`hadamard: ratio must be from 1 to H W = ${n}, got ${String(ratio)}.`);
  const wanted = ratio === undefined ? undefined : Math.floor(n / ratio);
  if (count !== undefined && (checkInteger("hadamard", "count", count, 1) > n || (wanted ?? count) !== count))
    throw bad(
      wanted === undefined
        ? `hadamard: count must be at most H W = ${n}, got ${count}.`
        : `hadamard: ratio ${ratio} means ${wanted} rows, count says ${count}: give one of them.`,
    );
  const rows = count ?? wanted;
  if (indices !== undefined) {
    if (order !== undefined && order !== null) throw bad("hadamard: give indices or order, but not both.");
    const list = Array.from(indices);
    if (list.length === 0 || (rows !== undefined && rows !== list.length))
      throw bad(`hadamard: there are ${list.length} indices, not ${rows ?? "at least one"}.`);
    list.forEach((row, k) => {
      if (!Number.isInteger(row) || row < 0 || row >= n)
        throw bad(`hadamard: indices holds ${row} at index ${k}: rows are integers from 0 to ${n - 1}.`);
    });
    if (new Set(list).size !== list.length) throw bad("hadamard: indices holds a row twice: give each row once.");
    return Int32Array.from(list);
  }
  const named = order ?? "natural";
  if (!Object.hasOwn(ORDERS, named))
    throw bad(`hadamard: order must be one of ${Object.keys(ORDERS).join(", ")}, got ${String(order)}.`);
  return Int32Array.from(ORDERS[named](height, width)).slice(0, rows ?? n);
}

/** Row k of the matrix of order n by the number of sign changes: the bit-reversed Gray code of k. */
function sequency(k: number, n: number): number {
  let row = 0;
  for (let gray = k ^ (k >>> 1), bit = n >>> 1; gray > 0; gray >>>= 1, bit >>>= 1) if (gray & 1) row |= bit;
  return row;
}

const upTo = (n: number) => Array.from({ length: n }, (_, k) => k);

/** Rows by the sequencies a, b of both axes, in the order of `key`, ties by `tie`. */
function byAxes(
  height: number,
  width: number,
  key: (a: number, b: number) => number,
  tie: (a: number, b: number) => number,
) {
  const pairs = upTo(height * width).map((i) => [Math.floor(i / width), i % width] as const);
  pairs.sort(([a, b], [c, d]) => key(a, b) - key(c, d) || tie(a, b) - tie(c, d));
  return pairs.map(([a, b]) => sequency(a, height) * width + sequency(b, width));
}

const ORDERS = {
  natural: (height: number, width: number) => upTo(height * width),
  sequency: (height: number, width: number) => upTo(height * width).map((k) => sequency(k, height * width)),
  zigzag: (height: number, width: number) => byAxes(height, width, (a, b) => a + b, (a) => -a), // biome-ignore format: one of a kind
  xy: (height: number, width: number) =>
    byAxes(
      height,
      width,
      (a, b) => 4 * a * b + a * a + b * b,
      (a, b) => a * width + b,
    ),
  cakecutting(height: number, width: number) {
    const n = height * width;
    const p = Math.sqrt(n);
    if (!Number.isInteger(p)) throw bad(`hadamard: cakecutting needs H W to be a square, got ${height} x ${width}.`);
    const pieces = upTo(n).map((l) => {
      const [i, j] = [Math.floor(l / p) + 1, (l % p) + 1];
      return i * (i % 2 === 1 ? j : p + 1 - j);
    });
    return upTo(n)
      .sort((k, l) => pieces[k]! - pieces[l]!)
      .map((l) => sequency(l, n));
  },
};
