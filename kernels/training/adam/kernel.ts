import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, multipleOf, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type AdamParams, type AdamSettings, adamSettings, reference } from "./reference.js";

/** Adam over a flat bank of parameters, in place; EDM2's rule for gradients that are not finite. */
export const adam: Kernel<AdamParams> = {
  name: "adam",
  source: [{ file: "kernels/training/adam/kernel.wgsl", text: source }],
  check({ elements }) {
    positiveInteger("adam", "elements", elements);
    multipleOf("adam", "elements", elements, 4);
    addressable("adam", "w", elements);
  },
  buffers({ elements }) {
    return [
      { name: "g", access: "read", type: "f32", length: elements },
      { name: "settings", access: "read", type: "f32", length: 7 },
      { name: "w", access: "update", type: "f32", length: elements },
      { name: "m", access: "update", type: "f32", length: elements },
      { name: "v", access: "update", type: "f32", length: elements },
      { name: "zeroed", access: "update", type: "u32", length: 2 },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ elements }) => ({ quads: elements / 4 }),
  grid: ({ elements }, _variant, caps) => grid1d(elements / 4, 64, caps),
  cost: ({ elements }) => ({ flops: 14 * elements, bytes: 28 * elements + 44 }),
  reference,
  cases: [
    update("one quad, first update", 4, { lr: 0.01, step: 1 }),
    update("a rate of 0 moves the moments alone", 132, { lr: 0, step: 1 }),
    update("a later update", 4 * 389, { lr: 0.003, step: 1000 }),
    update(
      "gradients that are not finite",
      260,
      { lr: 0.02, step: 3 },
      (i) => [Number.NaN, Infinity, -Infinity][i % 7],
    ),
    update("tiny gradients", 64, { lr: 0.01, step: 2 }, () => 1e-9),
    update("zero history stays", 64, { lr: 0.01, step: 2 }, () => 0, true),
    update("a small network", 2 ** 18, { lr: 0.01, step: 20 }),
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
};

/** `special` gives some gradients; `fresh`: moments of 0. */
function update(
  name: string,
  elements: number,
  settings: AdamSettings,
  special: (i: number) => number | undefined = () => undefined,
  fresh = false,
): Case<AdamParams> {
  return {
    name,
    params: { elements },
    inputs: (buffer, length, random) => {
      if (buffer === "settings") return Float32Array.from(adamSettings(settings));
      // The count of the fourth case carries.
      if (buffer === "zeroed") return Uint32Array.of(0xffffffff - 60, 5);
      if (buffer === "g") return Float32Array.from({ length }, (_, i) => special(i) ?? random());
      if (buffer === "m" && fresh) return new Float32Array(length);
      // Second moments are squares.
      if (buffer === "v") return Float32Array.from({ length }, () => (fresh ? 0 : random() ** 2));
      return undefined;
    },
  };
}
