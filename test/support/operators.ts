import { normals } from "../../kernels/lib/philox.js";

/** Helpers for tests of measurement operators. */
export const volume = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
export const noise = (seed: number, length: number) => Float32Array.from(normals(seed, 0, length));
export const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};
export const norm = (a: ArrayLike<number>) => Math.sqrt(dot(a, a));

/** The error of a call that has to fail, thrown or rejected. */
export const errorOf = (attempt: () => unknown): Promise<unknown> =>
  (async () => attempt())().then(
    () => undefined,
    (error: unknown) => error,
  );
