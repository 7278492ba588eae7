import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { piecesOf, reference, type SquareSumsParams } from "./reference.js";

/** x [rows, count] to sums of squares y [rows, pieces] of 1024 values each. All f32. */
export const squareSums: Kernel<SquareSumsParams> = {
  name: "square-sums",
  source: [...summing(), { file: "kernels/operators/square-sums/kernel.wgsl", text: source }],
  check({ rows, count }) {
    positiveInteger("square-sums", "rows", rows);
    positiveInteger("square-sums", "count", count);
    addressable("square-sums", "x", rows, count);
  },
  buffers: ({ rows, count, added }) => [
    read("x", rows * count),
    read("w", added ? rows * count : 0),
    read("level", added ? 2 : 0),
    write("y", rows * piecesOf(count)),
  ],
  variant({ added }, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size}${added ? " added" : ""}`, prelude: `${prelude}const ADDED: bool = ${added};` };
  },
  uniforms: ({ rows, count }) => ({ workgroups: rows * piecesOf(count), count, parts: piecesOf(count) }),
  grid: ({ rows, count }, _variant, caps) => grid1d(rows * piecesOf(count), 1, caps),
  cost: ({ rows, count, added }) => ({
    flops: (added ? 4 : 2) * rows * count,
    bytes: 4 * rows * (count * (added ? 2 : 1) + piecesOf(count)),
  }),
  reference,
  cases: [
    { name: "one value", params: { rows: 1, count: 1, added: false }, inputs },
    { name: "odd sizes", params: { rows: 3, count: 77, added: true }, inputs },
    { name: "a piece and a value", params: { rows: 2, count: 1025, added: true }, inputs },
    { name: "images", params: { rows: 2, count: 3 * 64 * 64, added: true }, inputs },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};

function inputs(name: string): Float32Array | undefined {
  return name === "level" ? Float32Array.of(0.05, 0.5) : undefined;
}
