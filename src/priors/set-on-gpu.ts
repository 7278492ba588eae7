import { chooseOne } from "../../kernels/priors/choose-one/kernel.js";
import { setDistances } from "../../kernels/priors/set-distances/kernel.js";
import { softmaxRows } from "../../kernels/priors/softmax-rows/kernel.js";
import { tiltWeights } from "../../kernels/priors/tilt-weights/kernel.js";
import { weightedMean } from "../../kernels/priors/weighted-mean/kernel.js";
import type { Gpu } from "../gpu/device.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { copied, PriorBuffers, type PriorInputs, type PriorNodes, type PriorOnGpu } from "./on-gpu.js";

/** The prior of equal weight on each of a set of points: the posterior's weights come of their squared distances. */
export class SetOnGpu implements PriorOnGpu {
  readonly dims: number;
  readonly count: number;
  readonly perRow: number;
  readonly buffers: PriorBuffers;
  /** Points of each buffer. */
  readonly #parts: readonly { readonly first: number; readonly count: number }[];

  /**
   * @param points rows of `dims` numbers
   * @param largest bytes of one buffer; absent: what the device binds
   */
  constructor(gpu: Gpu, points: Float32Array, dims: number, largest?: number) {
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.device.limits;
    const most = largest ?? Math.min(maxStorageBufferBindingSize, maxBufferSize);
    const perPart = Math.max(1, Math.floor(most / (4 * dims)));
    this.dims = dims;
    this.count = points.length / dims;
    this.perRow = 2 * this.count + 1;
    this.#parts = Array.from({ length: Math.ceil(this.count / perPart) }, (_, p) => {
      const first = p * perPart;
      return { first, count: Math.min(perPart, this.count - first) };
    });
    this.buffers = new PriorBuffers(
      gpu,
      this.#parts.map(({ first, count }, p) => [`points ${p}`, points.subarray(first * dims, (first + count) * dims)]),
    );
  }

  evaluate(graph: Graph, { rows, x, sigma, z, out, keep = false }: PriorInputs): PriorNodes {
    const { dims, count } = this;
    const parts = this.#parts.map(({ first, count: size }, p) => ({
      points: graph.external(`points ${p}`, [size, dims]),
      params: { rows, count: size, dims, stride: count, first },
    }));
    const weights = graph.external("weights", [rows, count]);
    for (const { points, params } of parts)
      graph.run("distances", setDistances, { ...params, product: false }, { x, points, squares: weights }, {});
    const total = graph.external("total", [rows]);
    graph.run("softmax", softmaxRows, { rows, count, squares: true }, { w: weights, sigma }, { total });
    if (z) graph.run("choice", chooseOne, { rows, count, dims }, { w: weights, z }, {});
    /** to = sum of weighted points. */
    const average = (w: Tensor, to: Tensor) => {
      for (const { points, params } of parts)
        graph.run("mean", weightedMean, { ...params, add: params.first > 0 }, { w, points, y: to }, { y: to });
    };
    average(weights, out);
    const [centre, level] = keep ? [copied(graph, out, "centre"), copied(graph, sigma, "level")] : [out, sigma];
    return {
      weights,
      total,
      // J is the covariance of x0 over sigma^2: along v the weights change by w_j ((x_j - D).v - mean) / sigma^2.
      pull(v, vjp) {
        const s = graph.external("slopes", [rows, count]);
        for (const { points, params } of parts)
          graph.run("products", setDistances, { ...params, product: true }, { x: v, points, centre, squares: s }, {});
        graph.run("tilt", tiltWeights, { rows, count, levels: true }, { w: weights, sigma: level, s }, {});
        average(s, vjp);
      },
    };
  }
}
