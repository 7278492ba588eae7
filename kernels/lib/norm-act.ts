/**
 * What the kernels of DISCO's units share: h -> n = (h - mean h) / sqrt(var h + eps) over the channels of a row,
 * y = gamma alpha n + beta, v = y where y >= 0, else slope y. Activations are [channels][columns] f32, a column for each row of
 * the batch; parameters lie in a bank, from the places given on.
 */
import { finiteNumber, inRange, multipleOf, oneOf, positiveInteger, positiveNumber } from "./check.js";

/**
 * What h is made of g, the product of the layer in front:
 * - `plain`: g + bias;
 * - `residual`: r + g + bias, r the h of the block in front;
 * - `doubled`: both halves of the channels are g + bias, g of half as many channels;
 * - `label`: the first half is g + bias, the second r, of half as many channels, which nothing is derived by.
 */
export type UnitSource = "plain" | "residual" | "doubled" | "label";

export interface NormActShape {
  /** Even. */
  readonly channels: number;
  /** A multiple of 4. */
  readonly columns: number;
  readonly source: UnitSource;
  /** Values of the bank, and where alpha, gamma, beta begin in it. */
  readonly bank: number;
  readonly alpha: number;
  readonly gamma: number;
  readonly beta: number;
  /** Of the leaky ReLU. */
  readonly slope: number;
}

/** Channels of g, and of r. */
export const partsOf = ({ channels, source }: Pick<NormActShape, "channels" | "source">) => {
  const half = source === "doubled" || source === "label";
  return {
    g: half ? channels / 2 : channels,
    r: source === "residual" ? channels : source === "label" ? channels / 2 : 0,
  };
};

export function checkNormAct(kernel: string, shape: NormActShape): void {
  for (const name of ["channels", "columns", "bank"] as const) positiveInteger(kernel, name, shape[name]);
  multipleOf(kernel, "channels", shape.channels, 2);
  multipleOf(kernel, "columns", shape.columns, 4);
  oneOf(kernel, "source", shape.source, ["plain", "residual", "doubled", "label"]);
  for (const name of ["alpha", "gamma", "beta"] as const)
    inRange(kernel, name, shape[name], 0, shape.bank - shape.channels);
  finiteNumber(kernel, "slope", shape.slope);
}

export function checkEps(kernel: string, eps: number): void {
  positiveNumber(kernel, "eps", eps);
}

/** Constants of the WGSL. */
export const normActFlags = ({ source }: Pick<NormActShape, "source">) => ({
  RESIDUAL: source === "residual",
  DOUBLED: source === "doubled",
  LABEL: source === "label",
});

export const normActUniforms = ({ columns, channels }: Pick<NormActShape, "columns" | "channels">) => ({
  quads: columns / 4,
  half: channels / 2,
});

/** J(t) = (t - mean t - n mean(n t)) / s of a column, the derivative of h -> n: in place. `n`, `t`: the channels of the column. */
export function jacobian(n: ArrayLike<number>, t: Float64Array, inverse: number): Float64Array {
  const [mean, along] = [average(t), average(t, n)];
  return t.map((value, c) => (value - mean - n[c]! * along) * inverse);
}

/** Mean of a, or of a b. */
export function average(a: ArrayLike<number>, b?: ArrayLike<number>): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += a[c]! * (b ? b[c]! : 1);
  return sum / a.length;
}

/** Entry `column` of every channel. */
export const columnOf = (values: ArrayLike<number>, channels: number, columns: number, column: number) =>
  Float64Array.from({ length: channels }, (_, c) => values[c * columns + column]!);

/** A case's normalised inputs: n of mean 0 and mean square 1 in every column, s positive. */
function normalised(channels: number, columns: number, random: () => number): Float32Array {
  const n = Float32Array.from({ length: channels * columns }, random);
  for (let column = 0; column < columns; column++) {
    const own = columnOf(n, channels, columns, column);
    const mean = average(own);
    const s = Math.sqrt(average(own, own) - mean ** 2 + 1e-5);
    own.forEach((value, c) => {
      n[c * columns + column] = (value - mean) / s;
    });
  }
  return n;
}

/** The shapes that every kernel of a unit is tested with. */
export const unitCases = (
  [
    ["few channels", { channels: 4, columns: 4, source: "plain" }],
    ["odd half, residual", { channels: 26, columns: 12, source: "residual" }],
    ["doubled", { channels: 20, columns: 36, source: "doubled" }],
    ["a label", { channels: 26, columns: 20, source: "label" }],
    ["a layer", { channels: 128, columns: 1024, source: "residual" }],
  ] as const
).map(([name, shape]) => ({ name, shape: { ...shape, ...places(shape.channels), slope: 0.2 } }));

function places(channels: number) {
  return { bank: 4 * channels + 6, alpha: 3, gamma: channels + 3, beta: 2 * channels + 5 };
}

/** Cases of the derivatives, with inputs that fit each other. */
export const derivativeCases = unitCases.map(({ name, shape }) => ({
  name,
  params: shape,
  inputs: (buffer: string, length: number, random: () => number) => {
    if (buffer === "n") return normalised(shape.channels, shape.columns, random);
    return buffer === "s" ? Float32Array.from({ length }, () => 0.2 + Math.abs(random())) : undefined;
  },
}));
