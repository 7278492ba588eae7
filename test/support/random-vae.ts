import { type TensorToWrite, writeSafetensors } from "../../src/checkpoint/index.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { decoderTensors, encoderTensors, type VaeStructure } from "../../src/networks/vae/structure.js";
import type { Weights } from "./reference-vae.js";

/** Small: two levels of 64 and one of 32 channels, so that there is a shortcut and an upsampling at each width. */
export const SMALL_VAE: VaeStructure = {
  latentChannels: 4,
  imageChannels: 3,
  channels: [64, 64, 32],
  resnets: 2,
  attention: { q: "to_q", k: "to_k", v: "to_v", out: "to_out.0" },
};

/** A VAE with random weights of a trained one's magnitudes; biases that matter. */
export function randomVae(structure: VaeStructure, seed = 5, encoder = false): { weights: Weights; file: Uint8Array } {
  const random = normalSource(seed);
  const weights = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  const attention = new Set(Object.values(structure.attention));
  for (const [name, wanted] of [...decoderTensors(structure), ...(encoder ? encoderTensors(structure) : [])]) {
    const linear = [...attention].some((layer) => name.includes(`attentions.0.${layer}.`));
    const shape = linear ? wanted.slice(0, 2) : wanted;
    const length = shape.reduce((a, b) => a * b, 1);
    const fanIn = length / shape[0]!;
    const norm = name.includes("norm") && name.endsWith("weight");
    const scale = norm ? 0.2 : name.endsWith("bias") ? 0.3 : 1 / Math.sqrt(fanIn);
    weights.set(name, { shape, values: Float32Array.from({ length }, () => (norm ? 1 : 0) + scale * random()) });
  }
  const tensors = [...weights].map(([name, { shape, values }]): TensorToWrite => {
    return { name, dtype: "F32", shape, data: values };
  });
  return { weights, file: writeSafetensors(tensors, { format: "pt" }) };
}
