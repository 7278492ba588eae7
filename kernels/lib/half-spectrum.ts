import type { Case } from "../../src/gpu/contract.js";
import { fail, finiteNumber, nonNegativeInteger } from "./check.js";

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

/** Whole spectra as centred planes [planes, 2, rows, columns], a mask or weights of one plane, and the half spectra of it. */
interface CentredParams {
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  readonly factor: number;
}

/** Half of the contracts of hermitian-expand and hermitian-fold. */
export function hermitian(name: string) {
  const inputs = (buffer: string, length: number): Float32Array | undefined =>
    buffer === "mask" ? Float32Array.from({ length }, (_, i) => [1, 0, 1, 1, 0][i % 5]!) : undefined;
  return {
    name,
    group: "operators",
    counts: ({ planes, rows, columns }: CentredParams) => ({ planes, rows, columns }),
    check: ({ factor }: CentredParams) => finiteNumber(name, "factor", factor),
    uniforms: ({ columns }: CentredParams) => ({ half: halfOf(columns) }),
    cases: [
      { name: "one value", params: { planes: 1, rows: 1, columns: 1, factor: 1 }, inputs },
      { name: "odd sizes", params: { planes: 3, rows: 9, columns: 7, factor: 0.5 }, inputs },
      { name: "even sizes", params: { planes: 2, rows: 8, columns: 10, factor: 0.1 }, inputs },
      { name: "images", params: { planes: 2, rows: 64, columns: 64, factor: 1 / 64 }, inputs },
    ] satisfies Case<CentredParams>[],
    tolerance: { f32: 2e-7, f16: 2e-7 },
  };
}
