import { fail } from "./check.js";

/** What the kernels of DISCO's sines and cosines share (kernels/energy/sinusoid). */
export interface SinusoidShape {
  /** Rows of x, and columns of f: at least as many; those past the last row repeat it. */
  readonly rows: number;
  readonly columns: number;
  /** Coordinates of a row. */
  readonly dims: number;
  /** Features of a coordinate, at least 4: half of them (rounded down) are sines, as many cosines, and one 0 if the number is odd. */
  readonly embed: number;
}

/** Frequencies of `embed` features per coordinate, in units of 2^-28: 10000^(-j / (half - 1)). */
export function frequencies(embed: number): Uint32Array<ArrayBuffer> {
  const half = Math.floor(embed / 2);
  return Uint32Array.from({ length: half }, (_, j) => Math.round(2 ** 28 * 10000 ** (-j / (half - 1))));
}

export function checkSinusoid(kernel: string, { rows, columns, embed }: SinusoidShape): void {
  if (columns < rows) fail(kernel, `columns must be at least rows (${rows})`, columns);
  if (embed < 4) fail(kernel, "embed must be at least 4", embed);
}

/** What its derivatives are tested with. */
export const sinusoidCases = [
  { name: "one coordinate", params: { rows: 1, columns: 4, dims: 1, embed: 4 } },
  { name: "odd features, columns past the last row", params: { rows: 7, columns: 8, dims: 3, embed: 5 } },
  { name: "a layer", params: { rows: 250, columns: 252, dims: 2, embed: 32 } },
].map(({ name, params }) => ({
  name,
  params,
  inputs: (buffer: string) => (buffer === "q" ? frequencies(params.embed) : undefined),
}));
