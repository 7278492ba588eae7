import { read, update } from "../../lib/buffers.js";
import { fail, multipleOf, nonNegativeInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type PowerEmaParams, reference } from "./reference.js";

/** average <- average + rest (w - average) over a bank, in place. */
export const powerEma = elementwise<PowerEmaParams>({
  name: "power-ema",
  group: "training",
  source,
  counts: ({ elements, profiles }) => ({ elements, profiles }),
  check({ elements, profile, profiles }) {
    multipleOf("power-ema", "elements", elements, 4);
    nonNegativeInteger("power-ema", "profile", profile);
    if (profile >= profiles) fail("power-ema", `profile must be below profiles (${profiles})`, profile);
  },
  threads: ({ elements }) => elements / 4,
  buffers({ elements, profiles }) {
    return [read("w", elements), read("rests", profiles), update("average", elements)];
  },
  flops: ({ elements }) => 3 * elements,
  reference,
  cases: [
    { name: "one quad", params: { elements: 4, profiles: 1, profile: 0 }, inputs: rests(0.4) },
    { name: "the second of three", params: { elements: 132, profiles: 3, profile: 1 }, inputs: rests(9, 1e-4, 9) },
    {
      name: "the first update ignores the average",
      params: { elements: 260, profiles: 1, profile: 0 },
      inputs: rests(1),
    },
    { name: "a small network", params: { elements: 2 ** 18, profiles: 2, profile: 1 }, inputs: rests(9, 0.01) },
  ],
  tolerance: { f32: 2e-7, f16: 2e-7 },
});

function rests(...values: number[]) {
  return (name: string, length: number): Float32Array | undefined => {
    if (name === "rests") return Float32Array.from(values);
    return name === "average" && values[0] === 1 ? new Float32Array(length).fill(Number.NaN) : undefined;
  };
}
