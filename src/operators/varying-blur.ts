import { varyingBlur as kernel } from "../../kernels/operators/varying-blur/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkFinite, checkInteger, checkShape } from "./check.js";
import type { GpuOperator } from "./gpu-operator.js";
import { linearOperator, type MapGraph } from "./linear-operator.js";
import type { SolverOptions } from "./operator.js";

export interface VaryingBlurOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** K x kernelSize x kernelSize values. */
  readonly kernels: ArrayLike<number>;
  readonly kernelSize: number;
  /** K x H x W: how much of each kernel a pixel is spread with; usually they sum to 1 over K. */
  readonly weights: ArrayLike<number>;
  /** Default "circular". */
  readonly boundary?: "circular" | "zero";
  readonly solver?: SolverOptions;
}

/**
 * A blur that changes over the picture: A x = sum over k of h_k * (w_k x), true convolutions with a kernel's entry floor(size / 2) left in
 * place (Nagy and O'Leary 1998). The measurement has the shape of the picture. The likelihood step takes two draws and conjugate
 * gradients.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function varyingBlur(gpu: Gpu, options: VaryingBlurOptions): GpuOperator {
  const name = "varyingBlur";
  const known = { shape: true, kernels: true, kernelSize: true, weights: true, boundary: true, solver: true } as const;
  checkKeys(name, options, known);
  const shape = checkShape(name, options.shape);
  const [channels, height, width] = shape;
  const side = checkInteger(name, "kernelSize", options.kernelSize, 1);
  const { boundary = "circular", solver } = options;
  if (boundary !== "circular" && boundary !== "zero")
    throw bad(`${name}: boundary must be "circular" or "zero", got ${String(boundary)}.`);
  const kernels = Float32Array.from(options.kernels ?? []);
  const weights = Float32Array.from(options.weights ?? []);
  const count = kernels.length / (side * side);
  if (!Number.isInteger(count) || count === 0)
    throw bad(
      `${name}: kernels has ${kernels.length} values, which is no multiple of ${side} x ${side} = ${side * side}.`,
    );
  if (weights.length !== count * height * width)
    throw bad(
      `${name}: weights has ${weights.length} values, not ${count} x ${height} x ${width} = ${count * height * width} (kernels x H x W).`,
    );
  checkFinite(name, "kernels", kernels);
  checkFinite(name, "weights", weights);
  const map =
    (adjoint: boolean): MapGraph =>
    (s, x, to) => {
      const circular = boundary === "circular";
      const params = { planes: s.batch * channels, height, width, count, side, circular, adjoint };
      const inputs = { x, kernels: s.table("kernels", () => kernels), weights: s.table("weights", () => weights) };
      return s.graph.run(adjoint ? "adjoint" : "blur", kernel, params, inputs, { y: to }).y;
    };
  return linearOperator(gpu, {
    name,
    shape,
    measurementShape: shape,
    solver,
    forward: map(false),
    adjoint: map(true),
  });
}
