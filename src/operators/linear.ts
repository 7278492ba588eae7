import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { solverSettings } from "./cgls.js";
import { countOf, volume } from "./check.js";
import { measurementsOf } from "./draw-input.js";
import { checkGram, checkLinear } from "./exact-step.js";
import type { EnergyInput, Gram, Operator, SolverOptions } from "./operator.js";
import { watched } from "./own.js";

export interface LinearOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** Extents of one image's measurement. */
  readonly measurementShape: readonly number[];
  /** A on a batch of images. */
  forward(x: Float32Array): Promise<Float32Array> | Float32Array;
  /** A' on a batch of measurements. */
  adjoint(y: Float32Array): Promise<Float32Array> | Float32Array;
  /** A A' = T W T': the likelihood step is one draw in closed form. Absent: two draws and conjugate gradients. */
  readonly gram?: Gram;
  /** For messages; default "linear". */
  readonly name?: string;
  readonly solver?: SolverOptions;
}

/**
 * Your own linear map, as two functions on arrays. What they promise is looked at once, with random pictures: that A is linear,
 * that A' is its adjoint, that gram is that of A. A likelihood step costs read-backs: one with gram, else two per step of conjugate
 * gradients.
 * @throws NcvsdError BAD_ARGUMENT (also as the promise's rejection)
 */
export async function linear(_gpu: Gpu, options: LinearOptions): Promise<Operator> {
  const known = {
    shape: true,
    measurementShape: true,
    forward: true,
    adjoint: true,
    gram: true,
    name: true,
    solver: true,
  };
  checkKeys("linear", options, known as { readonly [K in keyof Required<LinearOptions>]: true });
  const { gram, solver, measurementShape } = options;
  const name = options.name ?? "linear";
  if (typeof options.forward !== "function" || typeof options.adjoint !== "function")
    throw bad(`${name}: forward and adjoint must be functions on Float32Arrays: give both.`);
  if (gram !== undefined) {
    checkKeys(`${name}: gram`, gram, { W: true, T: true, Tt: true });
    if ((gram.T === undefined) !== (gram.Tt === undefined))
      throw bad(`${name}: gram has one of T and Tt: give both, or neither for the identity.`);
  }
  solverSettings(name, solver);
  const maps = {
    name,
    shape: options.shape as Operator["shape"],
    measurementShape,
    forward: async (x: Float32Array) => options.forward(x),
    adjoint: async (y: Float32Array) => options.adjoint(y),
    ...(gram ? { gram } : {}),
    ...(solver ? { solver } : {}),
  };
  const operator = watched(maps) as Operator & Required<Pick<Operator, "adjoint">>;
  await checkLinear(operator);
  if (operator.gram) await checkGram(operator);
  return Object.assign(operator, {
    langevinByUla: false,
    async energyGradient({ x, y }: EnergyInput) {
      const batch = countOf(`${name}: x`, x, volume(operator.shape), operator.shape);
      measurementsOf(name, operator, y, batch);
      const seen = await operator.forward(x);
      const gradient = await operator.adjoint(seen.map((v, i) => v - y[i]!));
      return gradient.map((v) => 2 * v);
    },
    close() {},
  });
}
