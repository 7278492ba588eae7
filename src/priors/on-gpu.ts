import { axpby } from "../../kernels/network/axpby/kernel.js";
import type { Gpu } from "../gpu/device.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { SharedBuffers } from "../graph/shared-buffers.js";

/** Tensors of one evaluation of a prior, all external: rows of x at levels sigma, and the result. */
export interface PriorInputs {
  readonly rows: number;
  readonly x: Tensor;
  readonly sigma: Tensor;
  /** Standard normal noise, shaped like x: a draw of x0; absent: the mean. */
  readonly z?: Tensor;
  readonly out: Tensor;
  /** Keep what `pull` needs: x, sigma and out may be written before it runs. */
  readonly keep?: boolean;
}

/** What an evaluation leaves in the graph. */
export interface PriorNodes {
  /** [rows, parts of the prior]: posterior weights, or a single 1 for a draw. */
  readonly weights: Tensor;
  /** rows: log of the sum of the weights before they were normalised. */
  readonly total: Tensor;
  /** Appends the nodes of J'v, J the Jacobian of the mean at the x that was evaluated: it is symmetric. */
  pull(v: Tensor, vjp: Tensor): void;
}

/** What all graphs of a prior share, by the names of their external tensors. */
export class PriorBuffers extends SharedBuffers {
  constructor(gpu: Gpu, values: Iterable<readonly [name: string, values: Float32Array]>) {
    super(gpu, "The prior");
    try {
      for (const [name, data] of values) {
        const buffer = gpu.storage(name, data.byteLength);
        this.buffers.set(name, buffer);
        gpu.write(buffer, data);
      }
    } catch (error) {
      this.destroy();
      throw error;
    }
  }
}

/** A prior whose evaluation is a few kernels. */
export interface PriorOnGpu {
  readonly dims: number;
  /** Parts: components, or points. */
  readonly count: number;
  /** Values beside x that an evaluation keeps per row. */
  readonly perRow: number;
  readonly buffers: PriorBuffers;
  evaluate(graph: Graph, inputs: PriorInputs): PriorNodes;
}

/** A copy of a tensor that nobody else writes. */
export function copied(graph: Graph, tensor: Tensor, name: string): Tensor {
  const copy = graph.external(name, tensor.shape);
  const params = { elements: tensor.length, perImage: 1, type: "f32" as const, alpha: 1, beta: null };
  graph.run(name, axpby, params, { a: tensor }, { y: copy });
  return copy;
}
