import { normals } from "../../kernels/lib/philox.js";
import { uniforms } from "../random/uniforms.js";
import { kindOf } from "./bank.js";

/**
 * A fresh network: every weight N(0, 1), frequencies 2 pi N(0, 1), phases 2 pi U(0, 1), gains and mixing weights 0 (EDM2). The
 * values of a tensor hang on the seed and its place among the network's tensors.
 * @param shapes extents by state-dict name, in the network's order
 * @param stream tells several networks of one seed apart
 */
export function freshTensors(
  shapes: ReadonlyMap<string, readonly number[]>,
  seed: number,
  stream = 0,
): Map<string, Float32Array> {
  let place = 0;
  return new Map(
    Array.from(shapes, ([name, shape]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      const draw = (stream << 16) + place++;
      return [name, freshTensor(name, length, seed, draw)] as const;
    }),
  );
}

function freshTensor(name: string, length: number, seed: number, draw: number): Float32Array {
  if (name.endsWith(".phases")) {
    const random = uniforms(seed, draw);
    return Float32Array.from({ length }, () => 2 * Math.PI * random());
  }
  if (name.endsWith(".freqs")) return Float32Array.from(normals(seed, draw, length), (v) => 2 * Math.PI * v);
  return kindOf(name) === "weight" ? Float32Array.from(normals(seed, draw, length)) : new Float32Array(length);
}
