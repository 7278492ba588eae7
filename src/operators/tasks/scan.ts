import { bad } from "../../errors.js";
import type { ImageShape } from "../../networks/session.js";
import type { FileValues, TaskFlag } from "./task.js";

/** Options of ptychography and Fourier ptychography. */
export const SCAN_FLAGS = {
  probe: {
    option: "--probe <file>",
    help: "(fourier_)ptychography: illumination or pupil, 2 x p x p values, real and imaginary parts",
    value: { file: "array" },
  },
  positions: {
    option: "--positions <file>",
    help: "(fourier_)ptychography: row and column of the upper left corner of every measurement, L x 2 values",
    value: { file: "array" },
  },
} as const satisfies Record<string, TaskFlag>;

export interface Scan {
  /** 2 * p * p values. */
  readonly probe: Float32Array;
  readonly size: number;
  readonly positions: Float32Array;
  readonly options: Readonly<Record<string, string>>;
}

/** The scan of files, or one of half the picture's side that overlaps by three quarters. @param disc a probe without a file */
export function scanOf(
  [, h, w]: ImageShape,
  { probe, positions }: { readonly probe?: FileValues; readonly positions?: FileValues },
  disc: (size: number) => Float32Array,
): Scan {
  const size = probe ? Math.sqrt(probe.values.length / 2) : Math.floor(Math.min(h, w) / 2);
  if (!Number.isInteger(size) || size < 1)
    throw bad(`--probe ${probe?.name} is [${probe?.shape.join(", ")}], but must be [2, p, p]`);
  if (positions && positions.values.length % 2 !== 0)
    throw bad(`--positions ${positions.name} is [${positions.shape.join(", ")}], but must be [L, 2]`);
  return {
    probe: probe?.values ?? disc(size),
    size,
    positions: positions?.values ?? overlapping(h, w, size),
    options: { probe: probe?.sha256 ?? "disc", positions: positions?.sha256 ?? "overlapping" },
  };
}

/** Corners a quarter of the probe apart, the last ones at the border. */
function overlapping(h: number, w: number, size: number): Float32Array {
  const step = Math.max(1, Math.floor(size / 4));
  const places = (side: number) => {
    const count = Math.ceil((side - size) / step) + 1;
    return Array.from({ length: count }, (_, i) => Math.min(i * step, side - size));
  };
  return Float32Array.from(places(h).flatMap((top) => places(w).flatMap((left) => [top, left])));
}

/** A disc of ones in the middle. @param radius in shares of the side */
export const discOf =
  (radius: number) =>
  (size: number): Float32Array => {
    const middle = (size - 1) / 2;
    return Float32Array.from({ length: 2 * size * size }, (_, i) => {
      const [row, column] = [Math.floor(i / size), i % size];
      return i < size * size && Math.hypot(row - middle, column - middle) <= radius * size ? 1 : 0;
    });
  };
