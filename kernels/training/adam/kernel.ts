import type { Case } from "../../../src/gpu/contract.js";
import { type AdamSettings, adamSettings } from "../../lib/adam-settings.js";
import { read, update } from "../../lib/buffers.js";
import { multipleOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AdamParams, reference } from "./reference.js";

/** Adam over a flat bank of parameters, in place; EDM2's rule for gradients that are not finite. */
export const adam = elementwise<AdamParams>({
  name: "adam",
  group: "training",
  source,
  counts: ({ elements }) => ({ elements }),
  check: ({ elements }) => multipleOf("adam", "elements", elements, 4),
  threads: ({ elements }) => elements / 4,
  buffers: ({ elements }) => [
    read("g", elements),
    read("settings", 7),
    update("w", elements),
    update("m", elements),
    update("v", elements),
    update("zeroed", 2, "u32"),
  ],
  flops: ({ elements }) => 14 * elements,
  reference,
  cases: [
    updateCase("one quad, first update", 4, { lr: 0.01, step: 1 }),
    updateCase("a rate of 0 moves the moments alone", 132, { lr: 0, step: 1 }),
    updateCase("a later update", 4 * 389, { lr: 0.003, step: 1000 }),
    updateCase(
      "gradients that are not finite",
      260,
      { lr: 0.02, step: 3 },
      (i) => [Number.NaN, Infinity, -Infinity][i % 7],
    ),
    updateCase("tiny gradients", 64, { lr: 0.01, step: 2 }, () => 1e-9),
    updateCase("zero history stays", 64, { lr: 0.01, step: 2 }, () => 0, true),
    updateCase("a small network", 2 ** 18, { lr: 0.01, step: 20 }),
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});

/** `special` gives some gradients; `fresh`: moments of 0. */
function updateCase(
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
