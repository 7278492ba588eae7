import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { ImageShape } from "../networks/session.js";
import { checkFinite, checkInteger } from "./check.js";
import type { GpuOperator } from "./gpu-operator.js";
import { objectShape, phaseOperator } from "./phase-views.js";

interface ScanOptions {
  /** C, H, W of one image; [2, H, W] of a complex object. */
  readonly shape: readonly number[];
  /** Top and left of every view, in pairs, from 0; every view must lie inside. */
  readonly positions: ArrayLike<number>;
  /** "real" (default): the object is (x + 1) / 2, channel by channel; "complex": x holds its real and imaginary part. */
  readonly object?: "real" | "complex";
  /** "amplitude" (default), or "intensity", its square, which the step size of Langevin dynamics has no bound for. */
  readonly measure?: "amplitude" | "intensity";
}

export interface PtychographyOptions extends ScanOptions {
  /** The illumination, 2 * p * p values: real parts, then imaginary parts. */
  readonly probe: ArrayLike<number>;
  /** p */
  readonly probeSize: number;
}

export interface FourierPtychographyOptions extends ScanOptions {
  /** The lens, 2 * p * p values: real parts, then imaginary parts. */
  readonly pupil: ArrayLike<number>;
  /** p */
  readonly pupilSize: number;
}

/** For checkKeys. */
const SCAN = { shape: true, positions: true, object: true, measure: true } as const;

/**
 * Ptychography: y_l = |F (probe u[top_l .. + p, left_l .. + p])|, F the orthonormal FFT of p x p with frequency 0 in the corner, u
 * the object; [L, C, p, p] (complex: C = 1). Not linear: only the gradient of its energy is known.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function ptychography(gpu: Gpu, options: PtychographyOptions): GpuOperator {
  checkKeys("ptychography", options, { ...SCAN, probe: true, probeSize: true });
  return scan(gpu, "ptychography", "probe", options, options.probe, options.probeSize);
}

/**
 * Fourier ptychography: y_l = |F_p^-1 (pupil U[top_l .. + p, left_l .. + p])|, U the object's orthonormal spectrum with frequency 0
 * in the middle, in which the positions count; [L, C, p, p] (complex: C = 1). Not linear: only the gradient of its energy is known.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function fourierPtychography(gpu: Gpu, options: FourierPtychographyOptions): GpuOperator {
  checkKeys("fourierPtychography", options, { ...SCAN, pupil: true, pupilSize: true });
  return scan(gpu, "fourierPtychography", "pupil", options, options.pupil, options.pupilSize);
}

function scan(
  gpu: Gpu,
  name: string,
  what: "probe" | "pupil",
  options: ScanOptions,
  window: ArrayLike<number>,
  windowSize: number,
): GpuOperator {
  const { shape, as, channels } = objectShape(name, options);
  const [, height, width] = shape;
  const size = checkInteger(name, `${what}Size`, windowSize, 1);
  if (window?.length !== 2 * size * size)
    throw bad(`${name}: ${what} has ${window?.length} values, not 2 x ${size} x ${size} = ${2 * size * size}.`);
  checkFinite(name, what, window);
  const { positions, measure = "amplitude" } = options;
  checkPositions(name, positions, shape, size);
  if (measure !== "amplitude" && measure !== "intensity")
    throw bad(`${name}: measure must be "amplitude" or "intensity", got ${String(measure)}.`);
  const views = { as, channels, height, width, rows: size, columns: size, positions, windows: window };
  return phaseOperator(gpu, { name, shape, views, spectrum: what === "pupil", intensity: measure === "intensity" });
}

function checkPositions(name: string, positions: ArrayLike<number>, [, height, width]: ImageShape, size: number): void {
  if (!(positions?.length > 0) || positions.length % 2 !== 0)
    throw bad(`${name}: positions must be pairs of top and left, at least one, got ${positions?.length} numbers.`);
  for (let i = 0; i < positions.length; i++) {
    const last = (i % 2 === 0 ? height : width) - size;
    const place = positions[i]!;
    if (!Number.isInteger(place) || place < 0 || place > last)
      throw bad(
        `${name}: view ${Math.floor(i / 2)} begins at [${positions[i - (i % 2)]}, ${positions[i - (i % 2) + 1]}]: ${size} x ${size} must lie inside ${height} x ${width}.`,
      );
  }
}
