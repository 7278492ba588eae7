import type { Case } from "../../src/gpu/contract.js";
import { positiveNumber } from "./check.js";

/** Rays through pictures [planes, height, width], a detector of `detectors` bins for every angle; lengths in pixels. */
export interface CtParams {
  readonly planes: number;
  readonly height: number;
  readonly width: number;
  readonly angles: number;
  readonly detectors: number;
  /** Fan beam, a flat detector; else parallel rays. */
  readonly fan: boolean;
  /** Bins per pixel on the detector. */
  readonly scale: number;
  /** The bin, with its fraction, that the ray through the centre of rotation meets (at the detector's foot, in a fan). */
  readonly shift: number;
  /** Pixel size^2 / detector spacing: a pixel's share of the line integral. */
  readonly gain: number;
  /** Fan: from the source to the centre of rotation, in pixels. */
  readonly source: number;
  /** Fan: from the source to the detector, in pixels. */
  readonly reach: number;
}

/** Half of the contracts of ct-project and ct-back, its adjoint. */
export function ctKernel(name: string) {
  return {
    name,
    group: "operators",
    counts: ({ planes, height, width, angles, detectors }: CtParams) => ({ planes, height, width, angles, detectors }),
    check({ fan, scale, gain, source, reach }: CtParams) {
      positiveNumber(name, "scale", scale);
      positiveNumber(name, "gain", gain);
      if (fan) positiveNumber(name, "source", source);
      if (fan) positiveNumber(name, "reach", reach);
    },
    uniforms({ shift, fan, reach, scale }: CtParams) {
      const whole = Math.round(shift);
      return { whole, part: shift - whole, magnified: fan ? reach * scale : 1 };
    },
    cases: [
      at("one pixel", { planes: 1, height: 1, width: 1, angles: 1, detectors: 1 }, {}),
      at("odd, parallel", { planes: 2, height: 9, width: 14, angles: 5, detectors: 15 }, { scale: 0.7, shift: 6.8 }),
      at(
        "fine bins, parallel",
        { planes: 1, height: 13, width: 8, angles: 3, detectors: 41 },
        { scale: 2.3, shift: 20 },
      ),
      at(
        "wide bins, parallel",
        { planes: 1, height: 11, width: 17, angles: 4, detectors: 4 },
        { scale: 0.12, shift: 1.5 },
      ),
      at(
        "odd, fan",
        { planes: 2, height: 11, width: 13, angles: 6, detectors: 21 },
        { fan: true, source: 24, reach: 40, scale: 0.6, shift: 10.2 },
      ),
      at(
        "wide bins, fan",
        { planes: 1, height: 7, width: 6, angles: 5, detectors: 5 },
        { fan: true, source: 8, reach: 9, scale: 0.2, shift: 2 },
      ),
      at(
        "an image, fan",
        { planes: 1, height: 64, width: 64, angles: 20, detectors: 91 },
        { fan: true, source: 120, reach: 200, scale: 0.6, shift: 45 },
      ),
      at("an image", { planes: 1, height: 64, width: 64, angles: 20, detectors: 91 }, { shift: 45 }),
    ],
    // In a fan, places of 45 bins from the middle are divided in single precision: off by 2e-6 of a bin.
    tolerance: { f32: 3e-6, f16: 3e-6 },
  };
}

type Sizes = Pick<CtParams, "planes" | "height" | "width" | "angles" | "detectors">;

function at(name: string, sizes: Sizes, beam: Partial<CtParams>): Case<CtParams> {
  const params = { ...sizes, fan: false, scale: 1, shift: 0, gain: 1, source: 0, reach: 0, ...beam };
  const angles = Float64Array.from({ length: sizes.angles }, (_, a) => 0.3 + 1.1 * a);
  const inputs = (buffer: string): Float32Array | undefined =>
    buffer === "directions" ? ctTable(params, angles) : undefined;
  return { name, params, inputs };
}

/** Cosine and sine of every angle, interleaved. */
export function directions(angles: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: 2 * angles.length }, (_, i) => {
    const angle = angles[Math.floor(i / 2)]!;
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
}

/**
 * What ct-project and ct-back read as `directions`: bins per pixel along the detector's axis (in a fan: its direction), four
 * values per angle, the leading 12 bits of both and the rest of both. Products of the former with places in a picture are exact.
 */
export function ctTable({ fan, scale }: Pick<CtParams, "fan" | "scale">, angles: ArrayLike<number>): Float32Array {
  const factor = fan ? 1 : scale;
  const quantum = 2 ** (Math.ceil(Math.log2(factor)) - 12);
  const axes = directions(angles).map((v) => factor * v);
  return Float32Array.from({ length: 4 * angles.length }, (_, i) => {
    const value = axes[2 * Math.floor(i / 4) + (i % 2)]!;
    const leading = Math.round(value / quantum) * quantum;
    return i % 4 < 2 ? leading : value - leading;
  });
}

/** Entries of the matrix, pixel by pixel: `visit` gets the bin, a fraction, and what the pixel weighs there. */
export function ctEntries(
  { height, width, angles, fan, scale, shift, gain, source, reach }: CtParams,
  table: ArrayLike<number>,
  visit: (row: number, column: number, angle: number, bin: number, weight: number) => void,
): void {
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [x, down] = [column - (width - 1) / 2, row - (height - 1) / 2];
      for (let angle = 0; angle < angles; angle++) {
        const [c, s] = [table[4 * angle]! + table[4 * angle + 2]!, table[4 * angle + 1]! + table[4 * angle + 3]!];
        const u = x * c - down * s;
        const distance = source - x * s - down * c;
        const bin = fan ? (u * reach * scale) / distance + shift : u + shift;
        const path = fan ? (reach * Math.hypot(distance, u)) / distance ** 2 : 1;
        visit(row, column, angle, bin, gain * path);
      }
    }
  }
}
