import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkInteger, checkShape } from "./check.js";
import type { GpuOperator } from "./gpu-operator.js";
import { alongAxis } from "./line-maps.js";
import { linearOperator } from "./linear-operator.js";
import { adjointOf, type LineMap } from "./resize.js";

export interface AveragingOptions {
  /** C, H, W of one image; H and W must be multiples of `factor`. */
  readonly shape: readonly number[];
  /** Side of the blocks: an integer of at least 1. */
  readonly factor: number;
}

/** Means of runs of `factor` values. */
function blocks(inputs: number, factor: number): LineMap {
  const outputs = inputs / factor;
  return {
    inputs,
    outputs,
    taps: factor,
    weights: new Float64Array(factor * outputs).fill(1 / factor),
    positions: Uint32Array.from(
      { length: factor * outputs },
      (_, i) => (i % outputs) * factor + Math.floor(i / outputs),
    ),
  };
}

/**
 * Super-resolution by block means (DDRM, Kawar et al. 2022): every value of the measurement [C, H / factor, W / factor] is the mean
 * of a block of factor x factor pixels. A A' = I / factor^2, so that the likelihood step is one draw in closed form.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function averaging(gpu: Gpu, options: AveragingOptions): GpuOperator {
  checkKeys("averaging", options, { shape: true, factor: true });
  const shape = checkShape("averaging", options.shape);
  const factor = checkInteger("averaging", "factor", options.factor, 1);
  const [channels, height, width] = shape;
  if (height % factor !== 0 || width % factor !== 0)
    throw bad(`averaging: ${height} x ${width} is no multiple of the factor ${factor}.`);
  const [rows, columns] = [blocks(height, factor), blocks(width, factor)];
  const [rowsBack, columnsBack] = [adjointOf(rows), adjointOf(columns)];
  return linearOperator(gpu, {
    name: "averaging",
    shape,
    measurementShape: [channels, height / factor, width / factor],
    gram: 1 / factor ** 2,
    forward: (s, x, to) => alongAxis(s, "columns", alongAxis(s, "rows", x, rows, { inner: width }), columns, { to }),
    adjoint: (s, y, to) =>
      alongAxis(s, "rows'", alongAxis(s, "columns'", y, columnsBack), rowsBack, { inner: width, to }),
  });
}
