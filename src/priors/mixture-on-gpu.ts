import { chooseOne } from "../../kernels/priors/choose-one/kernel.js";
import { mixtureCoordinates } from "../../kernels/priors/mixture-coordinates/kernel.js";
import { mixtureMean } from "../../kernels/priors/mixture-mean/kernel.js";
import { mixtureSlopes } from "../../kernels/priors/mixture-slopes/kernel.js";
import { softmaxRows } from "../../kernels/priors/softmax-rows/kernel.js";
import { tiltWeights } from "../../kernels/priors/tilt-weights/kernel.js";
import type { Gpu } from "../gpu/device.js";
import type { Graph } from "../graph/graph.js";
import { eigenSymmetric } from "./linear-algebra.js";
import type { GaussianMixture } from "./mixture.js";
import { copied, PriorBuffers, type PriorInputs, type PriorNodes, type PriorOnGpu } from "./on-gpu.js";

/** log w of components of weight 0. */
const NEVER = -1e30;

/** A Gaussian mixture, with one eigendecomposition per component, in single precision. */
export class MixtureOnGpu implements PriorOnGpu {
  readonly dims: number;
  readonly count: number;
  readonly perRow: number;
  readonly buffers: PriorBuffers;

  constructor(gpu: Gpu, mix: GaussianMixture) {
    const { dims, weights, means, covs } = mix;
    const count = weights.length;
    this.dims = dims;
    this.count = count;
    this.perRow = 2 * count * (dims + 1) + 1;
    const [vectors, values] = [new Float32Array(count * dims * dims), new Float32Array(count * dims)];
    for (let k = 0; k < count; k++) {
      const eigen = eigenSymmetric(covs.slice(k * dims * dims, (k + 1) * dims * dims), dims);
      vectors.set(eigen.vectors, k * dims * dims);
      values.set(eigen.values, k * dims);
    }
    const logs = Float32Array.from(weights, (w) => Math.max(Math.log(w), NEVER));
    this.buffers = new PriorBuffers(gpu, Object.entries({ means: Float32Array.from(means), vectors, values, logs }));
  }

  evaluate(graph: Graph, { rows, x, sigma, z, out, keep = false }: PriorInputs): PriorNodes {
    const { dims, count: parts } = this;
    const means = graph.external("means", [parts, dims]);
    const vectors = graph.external("vectors", [parts, dims, dims]);
    const values = graph.external("values", [parts, dims]);
    const logs = graph.external("logs", [parts]);
    const params = { rows, parts, dims };
    const prior = { means, vectors, values };
    const t = graph.external("coordinates", [rows, parts, dims]);
    const weights = graph.external("weights", [rows, parts]);
    const total = graph.external("total", [rows]);
    graph.run("coordinates", mixtureCoordinates, params, { x, sigma, logs, ...prior }, { t, logits: weights });
    graph.run("softmax", softmaxRows, { rows, count: parts, squares: false }, { w: weights, sigma }, { total });
    if (z) graph.run("choice", chooseOne, { rows, count: parts, dims }, { w: weights, z }, {});
    const inputs = { w: weights, sigma, t, z, ...prior };
    graph.run("mean", mixtureMean, { ...params, what: z ? "draw" : "mean" }, inputs, { y: out });
    const level = keep ? copied(graph, sigma, "level") : sigma;
    return {
      weights,
      total,
      // D = sum of p_k m_k: J'v = sum of p_k Q_k g_k Q_k' v, and of m_k times what p_k changes by along v.
      pull(v, vjp) {
        const a = graph.external("direction", [rows, parts, dims]);
        const s = graph.external("slopes", [rows, parts]);
        graph.run("slopes", mixtureSlopes, params, { v, sigma: level, t, vectors, values }, { a, slopes: s });
        graph.run("tilt", tiltWeights, { rows, count: parts, levels: false }, { w: weights, s }, {});
        const moved = { w: s, sigma: level, t, ...prior };
        graph.run("by weights", mixtureMean, { ...params, what: "mean" }, moved, { y: vjp });
        const turned = { w: weights, sigma: level, t: a, vectors, values, y: vjp };
        graph.run("by means", mixtureMean, { ...params, what: "slopes" }, turned, {});
      },
    };
  }
}
