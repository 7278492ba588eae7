/** The inputs and weights of a row, the same numbers in every process, and its computation over any operations. */
import { normalSource } from "../../dist/src/graph/run-kernel.js";
import { foldWeight } from "../../dist/src/layers/weights.js";
import { readCheckpoint, unetConfig, writeCheckpoint } from "./network/checkpoint.mjs";
import { discoStep } from "./network/disco.mjs";
import { DIMS, float64Inception, inceptionWeights, runInception, SIDE } from "./network/inception.mjs";
import { trainingStep } from "./network/training.mjs";
import { foldedUnet, runUnet } from "./network/unet.mjs";
import { discoGradient } from "./reference/disco.mjs";
import { float64 } from "./reference/float64.mjs";
import { trainingGradient } from "./reference/training.mjs";

/**
 * What a contender needs for a row. `inputs` are uploaded once and stay on the GPU; `constants` are known when the model is made.
 * @typedef {{
 *   inputs: Record<string, { shape: number[], data: Float32Array }>,
 *   compute(ops: object, inputs: Record<string, any>): any,
 *   result: { shape: number[], layout: "map" | "heads" | "matrix" },
 *   tensors?: Map<string, Float32Array>, reference?(): Float64Array, disco?: ReturnType<typeof discoStep>, training?: ReturnType<typeof trainingStep>, raw?: Float32Array, qkv?: Float32Array, checkpoint?: string,
 * }} Task
 */

const normal = (length, seed) => Float32Array.from({ length }, normalSource(seed));
const mapInput = (channels, side) => ({
  shape: [channels, side, side],
  data: normal(channels * side * side, 1),
});
const mapResult = (channels, side) => ({ shape: [channels, side, side], layout: "map" });

const makers = {
  conv({ layer, side }) {
    const { kernel, inChannels, outChannels } = layer;
    const raw = normal(outChannels * inChannels * kernel * kernel, 2);
    const folded = { ...layer, weight: foldWeight(raw, outChannels, 1) };
    return {
      inputs: { x: mapInput(inChannels, side) },
      compute: (ops, { x }) => ops.conv(x, folded),
      result: mapResult(outChannels, side),
      raw,
    };
  },

  // Peers get q, k and v apart and normalised already; ncvsd-gpu's kernel normalises them itself.
  attention({ heads, headDim, pixels }) {
    const qkv = normal(3 * heads * headDim * pixels, 1);
    const shape = [heads, headDim, pixels];
    const size = { heads, headDim, pixels };
    const part = (s) => {
      const rows = Float64Array.from({ length: heads * headDim * pixels }, (_, i) => {
        const row = Math.floor(i / pixels) * 3 + s;
        return qkv[row * pixels + (i % pixels)];
      });
      return { shape, data: Float32Array.from(float64.normalise(rows, headDim, pixels)) };
    };
    return {
      inputs: { q: part(0), k: part(1), v: part(2) },
      compute: (ops, { q, k, v }) => ops.attention(q, k, v, size),
      result: { shape, layout: "heads" },
      qkv,
    };
  },

  matmul({ side, packed }) {
    const shape = [side, side];
    const size = { m: side, k: side, n: side };
    const a = normal(side * side, 1);
    const b = { shape, data: normal(side * side, 2) };
    return {
      inputs: packed ? { b } : { a: { shape, data: a }, b },
      compute: (ops, inputs) => ops.matmul(packed ? ops.matrix(a, shape) : inputs.a, inputs.b, size),
      result: { shape, layout: "matrix" },
      raw: a,
    };
  },

  pixelNorm: ({ channels, side }) => ({
    inputs: { x: mapInput(channels, side) },
    compute: (ops, { x }) => ops.pixelNorm(x),
    result: mapResult(channels, side),
  }),

  mpSilu: ({ channels, side }) => ({
    inputs: { x: mapInput(channels, side) },
    compute: (ops, { x }) => ops.scale(ops.silu(x), 1 / 0.596),
    result: mapResult(channels, side),
  }),

  /** A training step: whoever has no gradient of a gradient cannot take part. */
  disco: () => {
    const disco = discoStep();
    const compute = () => {
      throw new Error("no gradient of a gradient");
    };
    return {
      disco,
      inputs: {},
      compute,
      result: { shape: [], layout: "matrix" },
      reference: () => discoGradient(disco),
    };
  },

  train({ config, sigma, batch }) {
    const training = trainingStep(config, sigma, batch);
    const compute = () => {
      throw new Error("no gradients");
    };
    return {
      training,
      inputs: {},
      compute,
      result: { shape: [], layout: "matrix" },
      reference: () => trainingGradient(training),
    };
  },

  inception() {
    const tensors = inceptionWeights();
    const x = mapInput(3, SIDE);
    return {
      inputs: { x },
      compute: (ops, inputs) => runInception(ops, tensors, inputs.x),
      result: { shape: [DIMS, 1, 1], layout: "map" },
      tensors,
      reference: () => runInception(float64Inception, tensors, { c: 3, h: SIDE, w: SIDE, v: x.data }),
    };
  },

  async unet({ channels, side, sigma }) {
    const checkpoint = writeCheckpoint();
    const net = foldedUnet(unetConfig, await readCheckpoint(checkpoint), sigma);
    return {
      inputs: { x: mapInput(channels, side), noise: { shape: [1], data: new Float32Array([Math.log(sigma) / 4]) } },
      compute: (ops, { x, noise }) => runUnet(ops, net, x, noise),
      result: mapResult(channels, side),
      checkpoint,
    };
  },
};

/** @returns {Promise<Task>} */
export async function makeTask(row) {
  return makers[row.kind](row);
}

/** The row's result in float64, in the order of `result.shape`. @param {Task} task */
export function referenceResult({ inputs, compute, result, reference }) {
  if (reference) return reference();
  const values = Object.entries(inputs).map(([name, { shape, data }]) => {
    const v = Float64Array.from(data);
    return [name, shape.length === 3 && result.layout === "map" ? { c: shape[0], h: shape[1], w: shape[2], v } : v];
  });
  const out = compute(float64, Object.fromEntries(values));
  return out.v ?? out;
}

/** ||out - ref|| / ||ref||; infinite where they cannot be compared. */
export function relativeError(out, reference) {
  if (out.length !== reference.length) return Number.POSITIVE_INFINITY;
  let [difference, norm] = [0, 0];
  for (let i = 0; i < out.length; i++) {
    difference += (out[i] - reference[i]) ** 2;
    norm += reference[i] ** 2;
  }
  const error = Math.sqrt(difference / norm);
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}
