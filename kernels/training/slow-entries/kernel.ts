import { read, update } from "../../lib/buffers.js";
import { inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SlowEntriesParams } from "./reference.js";

/** Single entries of a bank learn at a share of the rate: takes back the rest of Adam's step, in place. */
export const slowEntries = elementwise<SlowEntriesParams>({
  name: "slow-entries",
  group: "training",
  source,
  counts: ({ elements, count }) => ({ elements, count }),
  check: ({ share }) => inRange("slow-entries", "share", share, 0, 1),
  threads: ({ count }) => count,
  buffers: ({ elements, count }) => [
    read("indices", count, "u32"),
    read("settings", 7),
    read("m", elements),
    read("v", elements),
    update("w", elements),
  ],
  uniforms: ({ share }) => ({ back: 1 - share }),
  flops: ({ count }) => 6 * count,
  reference,
  cases: [
    { name: "the only entry", params: { elements: 1, count: 1, share: 0.1 }, inputs: moments },
    { name: "every third, standing still", params: { elements: 390, count: 130, share: 0 }, inputs: moments },
    { name: "all the rate", params: { elements: 390, count: 130, share: 1 }, inputs: moments },
    { name: "many", params: { elements: 3 * 4096, count: 4096, share: 0.5 }, inputs: moments },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function moments(name: string, length: number, random: () => number): Float32Array | Uint32Array | undefined {
  if (name === "indices") return Uint32Array.from({ length }, (_, i) => 3 * i);
  if (name === "settings") return Float32Array.of(0.01, 1.2, 0.9, 0.1, 0.99, 0.01, 1e-8);
  return name === "v" ? Float32Array.from({ length }, () => random() ** 2) : undefined;
}
