import { axisGather } from "../../kernels/operators/axis-gather/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { checkInteger, checkShape } from "./check.js";
import { type GpuOperator, gpuOperator } from "./gpu-operator.js";
import { adjointOf, type LineMap, reduction } from "./resize.js";
import type { StageGraph } from "./stage-graph.js";

export interface SuperResolutionOptions {
  /** C, H, W of one image; H and W must be multiples of `factor`. */
  readonly shape: readonly number[];
  /** How many times smaller the measurement is on each side: an integer of at least 2. */
  readonly factor: number;
}

/**
 * Super-resolution: A is the bicubic (a = -1/2) reduction with antialiasing, rows first, then columns; the measurement has
 * the shape [C, H / factor, W / factor]. There is no closed form of the posterior draw here, only the energy's gradient.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function superResolution(gpu: Gpu, options: SuperResolutionOptions): GpuOperator {
  checkKeys("superResolution", options, { shape: true, factor: true });
  const shape = checkShape("superResolution", options.shape);
  const factor = checkInteger("superResolution", "factor", options.factor, 2);
  const [channels, height, width] = shape;
  if (height % factor !== 0 || width % factor !== 0) {
    throw bad(`superResolution: ${height} x ${width} is no multiple of the factor ${factor}.`);
  }
  const small = [channels, height / factor, width / factor] as const;
  const down = { rows: reduction(height, factor), columns: reduction(width, factor) };
  const up = { rows: adjointOf(down.rows), columns: adjointOf(down.columns) };

  /** One axis: rows (stride `inner`) or columns (stride 1). */
  function along(
    s: StageGraph,
    name: string,
    x: Tensor,
    map: LineMap,
    axis: "rows" | "columns",
    more: More = {},
  ): Tensor {
    const { scale = 1, measured, to } = more;
    const inner = axis === "rows" ? width : 1;
    const outer = x.length / (map.inputs * inner);
    const params = {
      outer,
      from: map.inputs,
      to: map.outputs,
      inner,
      taps: map.taps,
      factor: scale,
      residual: measured !== undefined,
    };
    const inputs = {
      x,
      measured,
      weights: s.table(`${name} weights`, () => map.weights),
      positions: s.table(`${name} positions`, () => map.positions),
    };
    return s.graph.run(name, axisGather, params, inputs, { y: to ?? [outer, map.outputs, inner] }).y;
  }
  const reduce = (s: StageGraph, more: More) =>
    along(s, "columns", along(s, "rows", s.input("x"), down.rows, "rows"), down.columns, "columns", more);
  const enlarge = (s: StageGraph, v: Tensor, scale: number) => {
    const columns = along(s, "columns'", v, up.columns, "columns");
    return along(s, "rows'", columns, up.rows, "rows", { scale, to: s.out([s.batch, ...shape]) });
  };

  return gpuOperator(gpu, {
    name: "superResolution",
    shape,
    measurementShape: small,
    langevinByUla: true,
    forward: (s) => reduce(s, { to: s.out([s.batch, ...small]) }),
    adjoint: (s) => enlarge(s, s.input("y"), 1),
    gradient: (s) => enlarge(s, reduce(s, { measured: s.input("y") }), 2),
  });
}

interface More {
  readonly scale?: number;
  /** Subtracted before scaling. */
  readonly measured?: Tensor;
  readonly to?: Tensor;
}
