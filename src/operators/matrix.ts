import { matrixProduct } from "../../kernels/operators/matrix-product/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkFinite, checkInteger, checkShape, volume } from "./check.js";
import { directly } from "./direct-step.js";
import type { GpuOperator } from "./gpu-operator.js";
import { linearOperator, type MapGraph } from "./linear-operator.js";
import { largestSingularValue } from "./norm.js";
import type { SolverOptions } from "./operator.js";

export interface MatrixOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** rows x C H W values, row by row; with `perChannel` rows x H W. */
  readonly matrix: ArrayLike<number>;
  readonly rows: number;
  /** One matrix for every channel by itself; default false. */
  readonly perChannel?: boolean;
  readonly solver?: SolverOptions;
}

/** Entries up to which the norm is computed. */
const NORM_UP_TO = 2 ** 20;

/**
 * A dense matrix, as in compressed sensing: y = M x, [rows], or per channel, [C, rows]. The likelihood step takes two draws, and
 * conjugate gradients where the matrix has more than 2^17 entries or `solver` is given.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function matrix(gpu: Gpu, options: MatrixOptions): GpuOperator {
  checkKeys("matrix", options, { shape: true, matrix: true, rows: true, perChannel: true, solver: true });
  const shape = checkShape("matrix", options.shape);
  const outputs = checkInteger("matrix", "rows", options.rows, 1);
  const { perChannel = false, solver } = options;
  if (typeof perChannel !== "boolean")
    throw bad(`matrix: perChannel must be true or false, got ${String(perChannel)}.`);
  const inputs = perChannel ? shape[1] * shape[2] : volume(shape);
  const values = Float32Array.from(options.matrix ?? []);
  if (values.length !== outputs * inputs)
    throw bad(
      `matrix: the matrix has ${values.length} values, not ${outputs} x ${inputs} = ${outputs * inputs} (rows x ${perChannel ? "H W" : "C H W"}).`,
    );
  checkFinite("matrix", "the matrix", values);
  const transposed = () =>
    Float32Array.from(
      { length: values.length },
      (_, at) => values[(at % outputs) * inputs + Math.floor(at / outputs)]!,
    );
  const product =
    (name: string, from: number, to: number, entries: () => Float32Array): MapGraph =>
    (s, x, place) => {
      const params = { rows: x.length / from, inputs: from, outputs: to };
      return s.graph.run(name, matrixProduct, params, { x, m: s.table(name, entries) }, { y: place }).y;
    };
  const measurementShape = perChannel ? [shape[0], outputs] : [outputs];
  return linearOperator(gpu, {
    ...{ name: "matrix", shape, measurementShape },
    ...directly("matrix", solver, { outputs, inputs, measurementShape, matrix: () => Float64Array.from(values) }),
    ...(values.length <= NORM_UP_TO ? { curvature: 2 * largestSingularValue(values, inputs) ** 2 } : {}),
    solver,
    forward: product("M", inputs, outputs, () => values),
    adjoint: product("M'", outputs, inputs, transposed),
  });
}
