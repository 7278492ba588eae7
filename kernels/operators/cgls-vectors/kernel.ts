import type { Case } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type CglsVectorsParams, reference } from "./reference.js";

const PARTS = ["picture", "measurement", "direction"] as const;

/** Steps along a direction of conjugate gradients, and the next direction; level = [s, rho]. */
export const cglsVectors = elementwise<CglsVectorsParams>({
  name: "cgls-vectors",
  group: "operators",
  source,
  counts: ({ images, elements }) => ({ images, elements }),
  check: ({ part }) => oneOf("cgls-vectors", "part", part, PARTS),
  buffers: ({ images, part }, n) => [
    read("a", n),
    read("b", part === "direction" ? n : 0),
    read("state", 16 * images),
    read("level", part === "measurement" ? 0 : 2),
    update("y", n),
    update("y2", part === "picture" ? n : 0),
  ],
  variant: ({ part }) => ({ key: part, prelude: `const PART: i32 = ${PARTS.indexOf(part)};` }),
  flops: ({ part }, n) => (part === "measurement" ? 2 : 4) * n,
  reference,
  cases: PARTS.flatMap((part) => [
    at(`one value, ${part}`, { images: 1, elements: 1, part }),
    at(`odd, ${part}`, { images: 3, elements: 131, part }),
    at(`images, ${part}`, { images: 2, elements: 3 * 64 * 64, part }),
  ]),
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function at(name: string, params: CglsVectorsParams): Case<CglsVectorsParams> {
  const inputs = (buffer: string) => (buffer === "level" ? Float32Array.of(0.05, 0.5) : undefined);
  return { name, params, inputs };
}
