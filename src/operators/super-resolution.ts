import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkInteger, checkShape } from "./check.js";
import type { GpuOperator } from "./gpu-operator.js";
import { reduction } from "./resize.js";
import { separableOperator } from "./separable.js";

export interface SuperResolutionOptions {
  /** C, H, W of one image; H and W must be multiples of `factor`. */
  readonly shape: readonly number[];
  /** How many times smaller the measurement is on each side: an integer of at least 2. */
  readonly factor: number;
}

/**
 * Super-resolution: A is the bicubic (a = -1/2) reduction with antialiasing, rows first, then columns; the measurement has
 * the shape [C, H / factor, W / factor]. The likelihood step is one draw in closed form; the paper's runs take Langevin steps, as do
 * samplers that are given `ula`.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function superResolution(gpu: Gpu, options: SuperResolutionOptions): GpuOperator {
  checkKeys("superResolution", options, { shape: true, factor: true });
  const shape = checkShape("superResolution", options.shape);
  const factor = checkInteger("superResolution", "factor", options.factor, 2);
  const [, height, width] = shape;
  if (height % factor !== 0 || width % factor !== 0) {
    throw bad(`superResolution: ${height} x ${width} is no multiple of the factor ${factor}.`);
  }
  const [rows, columns] = [reduction(height, factor), reduction(width, factor)];
  return separableOperator(gpu, { name: "superResolution", shape, rows, columns, langevinByUla: true });
}
