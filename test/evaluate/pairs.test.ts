import { describe, expect, it } from "vitest";
import { pairFigures } from "../../src/evaluate/pairs.js";
import { normalSource } from "../../src/graph/run-kernel.js";

const rows = (n: number, dim: number, seed: number, shift = 0) => {
  const random = normalSource(seed);
  return Float32Array.from({ length: n * dim }, () => random() + shift);
};

describe("KID, precision and recall", () => {
  const dim = 5;
  const [x, y] = [rows(23, dim, 1), rows(31, dim, 2, 0.4)];
  const vector = (set: Float32Array, i: number) => [...set.subarray(i * dim, (i + 1) * dim)];
  const dot = (a: number[], b: number[]) => a.reduce((sum, v, k) => sum + v * b[k]!, 0);
  const distance = (a: number[], b: number[]) => Math.hypot(...a.map((v, k) => v - b[k]!));
  const list = (set: Float32Array) => Array.from({ length: set.length / dim }, (_, i) => vector(set, i));

  /** Word by word from the definition, over all of both sets. */
  function mmd(a: number[][], b: number[][]): number {
    const kernel = (p: number[], q: number[]) => (dot(p, q) / dim + 1) ** 3;
    const mean = (p: number[][], q: number[][], same: boolean) => {
      const values = p.flatMap((u, i) => q.flatMap((v, j) => (same && i === j ? [] : [kernel(u, v)])));
      return values.reduce((sum, v) => sum + v, 0) / values.length;
    };
    return mean(a, a, true) + mean(b, b, true) - 2 * mean(a, b, false);
  }

  it("are those of their definitions", () => {
    const same = rows(23, dim, 3, 0.4);
    const { kid, subsets, subset } = pairFigures(x, same, dim);
    expect({ subsets, subset }).toEqual({ subsets: 1, subset: 23 });
    expect(kid).toBeCloseTo(mmd(list(x), list(same)), 10);
    const found = pairFigures(x, y, dim);
    const third = (set: number[][], i: number) =>
      set.map((other) => distance(set[i]!, other)).sort((a, b) => a - b)[3]!;
    const share = (a: number[][], b: number[][]) =>
      a.filter((p) => b.some((q, j) => distance(p, q) <= third(b, j))).length / a.length;
    expect(found.precision).toBe(share(list(x), list(y)));
    expect(found.recall).toBe(share(list(y), list(x)));
    expect(found.precision).toBeGreaterThan(0);
    expect(found.precision).toBeLessThan(1);
  });

  it("take subsets of uneven sets, the same every time, whose mean is that of all", () => {
    const found = pairFigures(x, y, dim);
    expect(found).toMatchObject({ subsets: 100, subset: 23 });
    expect(pairFigures(x, y, dim)).toEqual(found);
    const standard = found.kidDeviation / Math.sqrt(100);
    expect(Math.abs(found.kid - mmd(list(x), list(y)))).toBeLessThan(4 * standard);
  });

  it("refuses too few", () => {
    expect(() => pairFigures(x, y.subarray(0, 4 * dim), dim)).toThrow("need 5 images of each set at least");
  });
});
