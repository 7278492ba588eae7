/** Networks with random weights of a fixed seed, for measuring what needs no trained ones. */
import { createHash } from "node:crypto";
import type { WeightSource } from "../src/layers/weights.js";
import type { Architecture, NetworkConfig } from "../src/networks/edm2/arguments.js";
import { DEFAULTS } from "../src/networks/edm2/config.js";
import { expectedTensors } from "../src/networks/edm2/names.js";

export { SMALL_UNET } from "../src/networks/edm2/presets.js";

/** xorshift32 to values in [-1, 1): weights are normalised when they are loaded, their distribution matters little. */
export function uniformSource(seed: number): () => number {
  let state = seed || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}

/** One tensor, from a seed made of its name. Gains as after training: blocks are scaled by about 1, the output's RMS is about 1. */
export function randomTensor(name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  if (name.endsWith("out_gain")) return new Float32Array([1]);
  const random = uniformSource(createHash("sha256").update(name).digest().readInt32LE(0));
  const scale = name.endsWith("emb_gain") ? 0.5 : name.endsWith(".freqs") ? 6.28 : 1;
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * random());
}

/** Weights of a whole network, made when they are asked for. */
export function randomWeights(architecture: Architecture, config: NetworkConfig): WeightSource {
  const shapes = expectedTensors(architecture, config);
  return {
    readF32: async (name) => {
      const shape = shapes.get(name);
      if (!shape) throw new Error(`the network has no tensor ${name}`);
      return randomTensor(name, shape);
    },
  };
}

/** An unconditional EDM2 network; what is not given is as published. */
export function edm2Config(own: Partial<NetworkConfig> & Pick<NetworkConfig, "img_resolution">): NetworkConfig {
  const { gamma, init_sigma, ...defaults } = DEFAULTS;
  return { ...defaults, img_channels: 3, label_dim: 0, model_channels: 64, ...own };
}

/** Input of the networks above, RMS about that of an image with noise of sigma 1. */
export const networkInput = (length: number) => {
  const random = uniformSource(3);
  return Float32Array.from({ length }, () => 2 * random());
};

/** bench/small-unet.json: what the network above gives for that input, in float64. */
export interface SmallUnetReference {
  readonly sigma: number;
  /** F, [3, 32, 32], the bytes of a Float32Array in base64: a tenth of what the network's own rounding comes to. */
  readonly f: string;
}
