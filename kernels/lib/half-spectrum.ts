import type { Case } from "../../src/gpu/contract.js";
import { fail, nonNegativeInteger } from "./check.js";

/** Frequencies of a real row that its others follow from. */
export function halfOf(columns: number): number {
  return Math.floor(columns / 2) + 1;
}

/** Real images in longer lines. */
export interface PaddedLines {
  readonly planes: number;
  readonly height: number;
  readonly width: number;
  /** Length of a line, padding included. */
  readonly columns: number;
  /** Columns of padding in front of the image. */
  readonly left: number;
}

export function checkLines(name: string, { width, columns, left }: PaddedLines): void {
  nonNegativeInteger(name, "left", left);
  if (left + width > columns) fail(name, `the image must fit into ${columns} columns`, left + width);
}

/** Rows of real images, transformed in pairs, and their half spectra [planes, rows, half]. */
export interface HalfSpectrumParams {
  readonly planes: number;
  /** Rows of the image. */
  readonly height: number;
  /** Length of the row transforms. */
  readonly columns: number;
  /** Rows of the spectrum, padding included. */
  readonly rows: number;
  /** Rows of padding above the image. */
  readonly top: number;
}

/** Half of the contracts of fft-split and fft-join, which is its reverse. */
export function halfSpectrum(name: string) {
  return {
    name,
    group: "operators",
    counts: ({ planes, height, columns, rows }: HalfSpectrumParams) => ({ planes, height, columns, rows }),
    check({ height, rows, top }: HalfSpectrumParams) {
      nonNegativeInteger(name, "top", top);
      if (top + height > rows) fail(name, `the image must fit into ${rows} rows`, top + height);
    },
    uniforms: ({ columns }: HalfSpectrumParams) => ({ half: halfOf(columns) }),
    cases: [
      { name: "one value", params: { planes: 1, height: 1, columns: 1, rows: 1, top: 0 } },
      { name: "odd sizes, padded", params: { planes: 3, height: 5, columns: 13, rows: 11, top: 3 } },
      { name: "even columns", params: { planes: 2, height: 8, columns: 10, rows: 8, top: 0 } },
      { name: "images", params: { planes: 6, height: 32, columns: 32, rows: 32, top: 0 } },
    ] satisfies Case<HalfSpectrumParams>[],
    tolerance: { f32: 2e-7, f16: 2e-7 },
  };
}
