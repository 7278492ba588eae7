import { read, write } from "../../lib/buffers.js";
import { fail, nonNegativeInteger } from "../../lib/check.js";
import { directions } from "../../lib/ct.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type CtRotateParams, reference } from "./reference.js";

/** Sums of a bilinearly rotated picture, or the adjoint of that. */
export const ctRotate = elementwise<CtRotateParams>({
  name: "ct-rotate",
  group: "operators",
  source,
  counts: ({ planes, side, angles, grid }) => ({ planes, side, angles, grid }),
  check({ side, grid, pad }) {
    nonNegativeInteger("ct-rotate", "pad", pad);
    if (pad + side > grid) fail("ct-rotate", `the picture must fit into the grid of ${grid}`, pad + side);
  },
  threads: ({ planes, side, angles, grid, adjoint }) => planes * (adjoint ? side * side : angles * grid),
  buffers({ planes, side, angles, grid, adjoint }) {
    const [picture, bins] = [planes * side * side, planes * angles * grid];
    return [read("x", adjoint ? bins : picture), read("directions", 2 * angles), write("y", adjoint ? picture : bins)];
  },
  flags: ({ adjoint }) => ({ ADJOINT: adjoint }),
  flops: ({ planes, side, angles, grid, adjoint }) =>
    planes * angles * (adjoint ? 200 * side * side : 20 * grid * grid),
  reference,
  cases: [
    at("one pixel", { planes: 1, side: 1, angles: 1, grid: 2, pad: 1, adjoint: false }),
    at("odd side", { planes: 2, side: 7, angles: 5, grid: 10, pad: 2, adjoint: false }),
    at("odd side, adjoint", { planes: 2, side: 7, angles: 5, grid: 10, pad: 2, adjoint: true }),
    at("even side", { planes: 1, side: 32, angles: 8, grid: 46, pad: 7, adjoint: false }),
    at("even side, adjoint", { planes: 1, side: 32, angles: 8, grid: 46, pad: 7, adjoint: true }),
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

function at(name: string, params: CtRotateParams) {
  const angles = Float64Array.from({ length: params.angles }, (_, a) => 0.3 + 1.1 * a);
  return {
    name,
    params,
    inputs: (buffer: string) => (buffer === "directions" ? Float32Array.from(directions(angles)) : undefined),
  };
}
