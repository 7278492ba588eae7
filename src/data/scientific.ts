import { bad } from "../errors.js";

/** Numbers of a scientific file: real, or complex with a second array. */
export interface ScientificArray {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** Of complex numbers; `values` are the real parts. */
  readonly imaginary?: Float32Array;
  /** What the file's integers reach: [0, 65535] of 16 bits; absent for floating point. */
  readonly range?: readonly [low: number, high: number];
}

/** What is taken of one axis: a place, which takes the axis away, or the places from one up to another. */
export type AxisIndex = number | { readonly from: number; readonly to?: number };

/** Numbers that are read at most: 2 GiB in single precision. */
const MOST = 2 ** 29 - 1;

/** A package that only some commands need; one sentence where it is not there. */
export async function optionalPackage<T>(name: string, what: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw bad(`${what} are read by the package ${name}, which is not installed: run \`npm install ${name}\``, cause);
  }
}

/** What these libraries say on the console belongs neither to a command's result nor to its one sentence. */
export function quietly<T>(work: () => T): T {
  const { log, warn, error } = console;
  const silent = () => {};
  Object.assign(console, { log: silent, warn: silent, error: silent });
  try {
    return work();
  } finally {
    Object.assign(console, { log, warn, error });
  }
}

/** Places from `from` to below `to` for every axis of an array; axes without an entry are taken whole. */
export function selection(
  shape: readonly number[],
  index: readonly AxisIndex[],
  where: string,
): { readonly ranges: readonly (readonly [from: number, to: number])[]; readonly shape: readonly number[] } {
  if (index.length > shape.length)
    throw bad(
      `--index names ${index.length} axes, but ${where} is [${shape.join(", ")}]: name at most ${shape.length}`,
    );
  const ranges = shape.map((extent, axis) => {
    const one = index[axis] ?? { from: 0 };
    const [from, to] = typeof one === "number" ? [one, one + 1] : [one.from, one.to ?? extent];
    if (from >= to || to > extent)
      throw bad(`--index: axis ${axis} of ${where} has places 0 to ${extent - 1}, not ${from} to ${to - 1}`);
    return [from, to] as const;
  });
  const left = ranges.flatMap(([from, to], axis) => (typeof index[axis] === "number" ? [] : [to - from]));
  const count = left.reduce((a, b) => a * b, 1);
  if (count > MOST) throw bad(`${where} has ${count} numbers, more than are read at once: take a part with --index`);
  return { ranges, shape: left };
}
