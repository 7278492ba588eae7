import type { Case } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type TakeRowsParams } from "./reference.js";

/** Position, phi and its gradient of the rows that were accepted. */
export const takeRows = elementwise<TakeRowsParams>({
  name: "take-rows",
  group: "sampling",
  source,
  counts: ({ rows, dims }) => ({ rows, dims }),
  threads: ({ rows }) => rows,
  buffers: ({ dims }, rows) => [
    read("taken", rows, "u32"),
    read("x", rows * dims),
    read("phi", rows),
    read("o", rows * dims),
    update("ownX", rows * dims),
    update("ownPhi", rows),
    update("ownO", rows * dims),
  ],
  flops: () => 0,
  reference,
  cases: [
    at("one row", { rows: 1, dims: 1 }),
    at("some of many", { rows: 131, dims: 3 }),
    at("wide rows", { rows: 300, dims: 50 }),
  ],
  tolerance: { f32: 0, f16: 0 },
});

function at(name: string, params: TakeRowsParams): Case<TakeRowsParams> {
  const inputs = (buffer: string, length: number) =>
    buffer === "taken" ? Uint32Array.from({ length }, (_, i) => Number(i % 3 !== 1)) : undefined;
  return { name, params, inputs };
}
