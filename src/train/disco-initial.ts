import { normals } from "../../kernels/lib/philox.js";
import { type DiscoConfig, discoTensors } from "../networks/energy/config.js";

/** Standard deviation of a standard normal value truncated to [-2, 2]. */
const TRUNCATED = 0.8796256610342398;

/**
 * A new network: weights truncated normal of variance 1 / fan-in, biases and beta 0, alpha and gamma 1 + 0.02 z. Tensor number t is drawn
 * from draw t of the seed.
 */
export function newDisco(config: DiscoConfig, seed: number): Map<string, Float32Array> {
  return new Map(
    Array.from(discoTensors(config), ([name, shape], draw) => {
      const length = shape.reduce((a, b) => a * b, 1);
      if (/\.(bias|beta)$/.test(name)) return [name, new Float32Array(length)];
      if (!name.endsWith(".weight")) return [name, Float32Array.from(normals(seed, draw, length), (z) => 1 + 0.02 * z)];
      const scale = 1 / (TRUNCATED * Math.sqrt(shape[1]!));
      const spare = 8 + Math.ceil(1.2 * length);
      const inside = normals(seed, draw, spare).filter((z) => Math.abs(z) <= 2);
      // One in 22 is outside; the chance that a fifth is, is none.
      return [name, Float32Array.from(inside.subarray(0, length), (z) => scale * z)];
    }),
  );
}
