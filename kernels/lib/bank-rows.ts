import { type Caps, grid1d, type Variant } from "../../src/gpu/contract.js";
import { addressable, fail, nonNegativeInteger, oneOf, positiveInteger } from "./check.js";
import { summingSize } from "./entry.js";

/** Keeps rows of small values from being blown up (EDM2, `normalize`). */
export const NORMALIZE_EPS = 1e-4;

/** Vectors of four that `state` begins with, the settings of an update: the kernels' HEAD. */
export const STATE_HEAD = 3;

/** Values of `state`: the settings, then of every row RMS or first value, factor, and the count of two numbers. */
export const stateLength = (rows: number) => 4 * (STATE_HEAD + rows);

/** `table`'s last number of a row: whether it is one of a weight, which is normalised. */
export const WEIGHT_ROW = 1;

/** Some rows of a bank, which a kernel takes with a workgroup each. */
export interface RowRange {
  /** Values of the bank, or of the part of it that is bound. */
  readonly elements: number;
  /** Rows of the table: all parts of the bank. */
  readonly rows: number;
  /** These of them, and how many values they have. */
  readonly first: number;
  readonly count: number;
  readonly values: number;
  /** Values that a row is taken by: 4 where all begin and end at multiples of 4. */
  readonly lanes: 1 | 4;
}

export function checkRange(name: string, { elements, rows, first, count, values, lanes }: RowRange): void {
  for (const [key, value] of Object.entries({ elements, rows, count, values })) positiveInteger(name, key, value);
  nonNegativeInteger(name, "first", first);
  oneOf(name, "lanes", lanes, [1, 4]);
  if (first + count > rows) fail(name, `rows ${first} to ${first + count - 1} must be among ${rows}`);
  if (elements % lanes !== 0) fail(name, "elements must be whole vectors", elements);
  addressable(name, "the bank", elements);
  addressable(name, "table", rows, 4);
}

export const rangeUniforms = ({ first, count }: RowRange) => ({ workgroups: count, first_row: first });

export const rangeGrid = ({ count }: RowRange, _variant: Variant, caps: Caps) => grid1d(count, 1, caps);

/** SIZE, EPS, HEAD, LANES; V and U: a vector of a row and its bits; `added` and `leading` of one. */
export function rowPrelude({ lanes }: Pick<RowRange, "lanes">, caps: Caps): { readonly size: number; prelude: string } {
  const { size, prelude } = summingSize(caps);
  const types =
    lanes === 4
      ? "alias V = vec4f;\nalias U = vec4u;\nfn added(v: V) -> f32 { return (v.x + v.y) + (v.z + v.w); }\nfn leading(v: V) -> f32 { return v.x; }\n"
      : "alias V = f32;\nalias U = u32;\nfn added(v: V) -> f32 { return v; }\nfn leading(v: V) -> f32 { return v; }\n";
  return { size, prelude: `${prelude}${types}const LANES: u32 = ${lanes}u;\n${STATE_CONSTANTS}` };
}

export const STATE_CONSTANTS = `const HEAD: u32 = ${STATE_HEAD}u;\nconst EPS: f32 = ${NORMALIZE_EPS};\n`;

/** What `row-scales` and `row-gradients` know of a network's rows: [rows][2], the bits of a constant, and the row of a gain + 1. */
export function role(constant: number, gainRow?: number): [bits: number, gain: number] {
  return [new Uint32Array(Float32Array.of(constant).buffer)[0]!, gainRow === undefined ? 0 : gainRow + 1];
}

/** The same read again, with the gain's value. */
export function roleOf(roles: ArrayLike<number>, state: ArrayLike<number>, row: number) {
  const constant = new Float32Array(Uint32Array.of(roles[2 * row]!).buffer)[0]!;
  const gain = roles[2 * row + 1]!;
  return { constant, gained: gain > 0, gain: gain > 0 ? state[4 * (STATE_HEAD + gain - 1)]! : 1 };
}
