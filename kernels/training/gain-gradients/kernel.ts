import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type GainGradientsParams, reference } from "./reference.js";

/** Sums of dgain [places] over each gain's rows, into a bank g [elements]. */
export const gainGradients: Kernel<GainGradientsParams> = {
  name: "gain-gradients",
  source: [...summing(64), { file: "kernels/training/gain-gradients/kernel.wgsl", text: source }],
  check(params) {
    for (const [key, value] of Object.entries(params)) positiveInteger("gain-gradients", key, value);
    addressable("gain-gradients", "g", params.elements);
    addressable("gain-gradients", "gains", params.count, 4);
    addressable("gain-gradients", "dgain", params.places);
  },
  buffers: ({ elements, count, places }) => [
    read("gains", 4 * count, "u32"),
    read("dgain", places),
    update("g", elements),
  ],
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ count }) => ({ workgroups: count }),
  grid: ({ count }, _variant, caps) => grid1d(count, 1, caps),
  // As if every value belonged to a gain.
  cost: ({ count, places }) => ({ flops: places, bytes: 4 * places + 20 * count }),
  reference,
  cases: [
    { name: "one gain of one row", params: { elements: 1, count: 1, places: 1 }, inputs: gains([0, 1, 0]) },
    {
      name: "gains of some rows, and the rest left alone",
      params: { elements: 200, count: 3, places: 1000 },
      inputs: gains([64, 70, 3], [0, 5, 199], [256, 700, 128]),
    },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};

function gains(...all: readonly (readonly [first: number, rows: number, place: number])[]) {
  return (name: string, length: number, random: () => number): Float32Array | Uint32Array | undefined => {
    if (name === "gains") return Uint32Array.from(all.flatMap((gain) => [...gain, 0]));
    return name === "dgain" ? Float32Array.from({ length }, () => 1.5 + random()) : undefined;
  };
}
