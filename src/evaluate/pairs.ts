import { philox4x32 } from "../../kernels/lib/philox.js";
import { bad } from "../errors.js";
import { rowProducts } from "./row-products.js";

/** Images of a set that are taken at most: all pairs of features are looked at. */
export const MOST_PAIRED = 2000;

const NEIGHBOURS = 3;
const SUBSETS = 100;
const SUBSET = 1000;

/** What pairs of features tell of two sets of images. */
export interface PairFigures {
  /** Squared maximum mean discrepancy, kernel (x.y/d + 1)^3, unbiased: mean over subsets. */
  readonly kid: number;
  /** Standard deviation over the subsets. */
  readonly kidDeviation: number;
  readonly subsets: number;
  /** Images of a subset, of each set. */
  readonly subset: number;
  /** Share of the images within the third neighbour's distance of some real one, 0 to 1. */
  readonly precision: number;
  /** Share of the real images within the third neighbour's distance of some image, 0 to 1. */
  readonly recall: number;
}

/**
 * KID (Binkowski et al. 2018), and precision and recall by third neighbours (Kynkäänniemi et al. 2019).
 * @param images [n, dim]
 * @param real [m, dim]
 * @throws BAD_ARGUMENT for fewer than 5 of either
 */
export function pairFigures(images: Float32Array, real: Float32Array, dim: number): PairFigures {
  const [n, m] = [images.length / dim, real.length / dim];
  if (Math.min(n, m) < NEIGHBOURS + 2)
    throw bad(`KID, precision and recall need ${NEIGHBOURS + 2} images of each set at least, there are ${n} and ${m}`);
  const [x, y] = [Float64Array.from(images), Float64Array.from(real)];
  const [xx, yy, xy] = [rowProducts(x, x, dim), rowProducts(y, y, dim), rowProducts(x, y, dim)];
  const inside = coverage(xx, yy, xy, n, m);
  const size = Math.min(SUBSET, n, m);
  const kernel = (products: Float64Array) => products.map((v) => (v / dim + 1) ** 3);
  const [a, b, c] = [kernel(xx), kernel(yy), kernel(xy)];
  // All of both sets have one subset alone.
  const subsets = size === n && size === m ? 1 : SUBSETS;
  const values = Array.from({ length: subsets }, (_, k) => {
    const [rows, columns] = [drawn(n, size, k, 0), drawn(m, size, k, 1)];
    const own = (values: Float64Array, width: number, chosen: Uint32Array) => {
      let sum = 0;
      for (const i of chosen) for (const j of chosen) if (i !== j) sum += values[i * width + j]!;
      return sum / (size * (size - 1));
    };
    let cross = 0;
    for (const i of rows) for (const j of columns) cross += c[i * m + j]!;
    return own(a, n, rows) + own(b, m, columns) - (2 * cross) / size ** 2;
  });
  const kid = values.reduce((sum, v) => sum + v, 0) / subsets;
  const kidDeviation = Math.sqrt(values.reduce((sum, v) => sum + (v - kid) ** 2, 0) / subsets);
  return { kid, kidDeviation, subsets, subset: size, ...inside };
}

/** `size` of `count` numbers, each at most once; of subset k, the same every time. */
function drawn(count: number, size: number, k: number, set: number): Uint32Array {
  const list = Uint32Array.from({ length: count }, (_, i) => i);
  if (size === count) return list;
  let words: readonly number[] = [];
  for (let i = 0; i < size; i++) {
    if (i % 4 === 0) words = philox4x32([i >>> 2, k, set, 0], [0, 0x41d]);
    const j = i + Math.floor((words[i % 4]! / 2 ** 32) * (count - i));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list.subarray(0, size);
}

function coverage(xx: Float64Array, yy: Float64Array, xy: Float64Array, n: number, m: number) {
  const [near, far] = [radii(xx, n), radii(yy, m)];
  const found = new Uint8Array(n);
  const covered = new Uint8Array(m);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const distance = xx[i * n + i]! + yy[j * m + j]! - 2 * xy[i * m + j]!;
      if (distance <= far[j]!) found[i] = 1;
      if (distance <= near[i]!) covered[j] = 1;
    }
  }
  const share = (marks: Uint8Array) => marks.reduce((sum, mark) => sum + mark, 0) / marks.length;
  return { precision: share(found), recall: share(covered) };
}

/** Squared distance of each vector to its third neighbour among the others. */
function radii(products: Float64Array, n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    const nearest = new Float64Array(NEIGHBOURS).fill(Infinity);
    for (let j = 0; j < n; j++) {
      if (j === i) continue;
      let distance = products[i * n + i]! + products[j * n + j]! - 2 * products[i * n + j]!;
      for (let k = 0; k < NEIGHBOURS; k++) {
        if (distance < nearest[k]!) [nearest[k], distance] = [distance, nearest[k]!];
      }
    }
    return nearest[NEIGHBOURS - 1]!;
  });
}
