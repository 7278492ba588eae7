import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkFinite } from "./check.js";
import type { GpuOperator } from "./gpu-operator.js";
import { objectShape, phaseOperator } from "./phase-views.js";

export interface CodedPhaseOptions {
  /** C, H, W of one image; [2, H, W] of a complex object. */
  readonly shape: readonly number[];
  /** L complex masks, L * 2 * H * W values: each the real parts, then the imaginary parts. */
  readonly masks: ArrayLike<number>;
  /** "real" (default): the object is (x + 1) / 2, channel by channel; "complex": x holds its real and imaginary part. */
  readonly object?: "real" | "complex";
}

/**
 * Coded diffraction patterns: y_l = |F (m_l u)|, F the orthonormal FFT with frequency 0 in the corner, u the object;
 * [L, C, H, W] (complex: C = 1). Not linear: only the gradient of its energy is known.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function codedPhase(gpu: Gpu, options: CodedPhaseOptions): GpuOperator {
  checkKeys("codedPhase", options, { shape: true, masks: true, object: true });
  const { shape, as, channels } = objectShape("codedPhase", options);
  const [, height, width] = shape;
  const { masks } = options;
  const size = 2 * height * width;
  if (!(masks?.length > 0) || masks.length % size !== 0)
    throw bad(
      `codedPhase: masks has ${masks?.length} values, no multiple of 2 x ${height} x ${width} = ${size} (real and imaginary part of a mask).`,
    );
  checkFinite("codedPhase", "masks", masks);
  const count = masks.length / size;
  const views = { as, channels, height, width, rows: height, columns: width };
  return phaseOperator(gpu, {
    name: "codedPhase",
    shape,
    views: { ...views, positions: new Uint32Array(2 * count), windows: masks },
    spectrum: false,
    intensity: false,
  });
}
