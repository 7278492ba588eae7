import { axisGather } from "../../kernels/operators/axis-gather/kernel.js";
import { axisProduct } from "../../kernels/operators/axis-product/kernel.js";
import type { Tensor } from "../graph/graph.js";
import type { Place } from "./linear-operator.js";
import type { LineMap } from "./resize.js";
import type { StageGraph } from "./stage-graph.js";

/** Lines side by side: the axis's stride. Absent: 1, as of the last axis. */
export interface Lines {
  readonly inner?: number;
  /** What the sums are multiplied with; default 1. */
  readonly scale?: number;
  /** Subtracted before scaling. */
  readonly measured?: Tensor;
  /** Absent: a new tensor. */
  readonly to?: Place;
}

/** A map of lines along one axis of `x`, [outer, map.inputs, inner]. */
export function alongAxis(s: StageGraph, name: string, x: Tensor, map: LineMap, lines: Lines = {}): Tensor {
  const { inner = 1, scale = 1, measured, to } = lines;
  const { inputs: from, outputs, taps } = map;
  const outer = x.length / (from * inner);
  if (map.dense && scale === 1 && !measured) {
    const m = s.table(`${name} matrix`, () => padded(map));
    return s.graph.run(
      name,
      axisProduct,
      { outer, from, to: outputs, inner },
      { x, m },
      { y: to ?? [outer, outputs, inner] },
    ).y;
  }
  const inputs = {
    x,
    measured,
    weights: s.table(`${name} weights`, () => Float32Array.from(map.weights)),
    positions: s.table(`${name} positions`, () => map.positions),
  };
  const params = { outer, from, to: outputs, inner, taps, factor: scale, residual: measured !== undefined };
  return s.graph.run(name, axisGather, params, inputs, { y: to ?? [outer, outputs, inner] }).y;
}

/** The matrix of a dense map, inputs x outputs, rows filled up to a multiple of 4. */
function padded({ inputs, outputs, weights }: LineMap): Float32Array {
  const row = 4 * Math.ceil(outputs / 4);
  const matrix = new Float32Array(inputs * row);
  for (let t = 0; t < inputs; t++) matrix.set(weights.subarray(t * outputs, (t + 1) * outputs), t * row);
  return matrix;
}

/** A map whose outputs are one input each, or none: `sources` names them, -1 for none; the others are multiplied with `weight`. */
export function selection(inputs: number, sources: readonly number[], weight = 1): LineMap {
  return {
    inputs,
    outputs: sources.length,
    taps: 1,
    weights: Float64Array.from(sources, (at) => (at < 0 ? 0 : weight)),
    positions: Uint32Array.from(sources, (at) => Math.max(0, at)),
  };
}
