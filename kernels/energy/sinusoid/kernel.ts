import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import math from "../../lib/math.wgsl.js";
import { checkSinusoid, frequencies, type SinusoidShape } from "../../lib/sinusoid.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** x [rows, dims] and the frequencies q [embed div 2] to f [dims embed][columns]. */
export const sinusoid = elementwise<SinusoidShape>({
  name: "sinusoid",
  group: "energy",
  source,
  parts: [{ file: "kernels/lib/math.wgsl", text: math }],
  counts: ({ rows, columns, dims, embed }) => ({ rows, columns, dims, embed }),
  check: (params) => checkSinusoid("sinusoid", params),
  threads: ({ columns, dims, embed }) => columns * dims * Math.floor(embed / 2),
  buffers: ({ rows, columns, dims, embed }) => [
    read("x", rows * dims),
    read("q", Math.floor(embed / 2), "u32"),
    write("f", dims * embed * columns),
  ],
  flops: (_, n) => 60 * n,
  reference,
  cases: [
    { name: "one coordinate", params: { rows: 1, columns: 4, dims: 1, embed: 4 } },
    { name: "odd features, repeated row", params: { rows: 7, columns: 8, dims: 3, embed: 5 } },
    { name: "a layer", params: { rows: 250, columns: 252, dims: 2, embed: 32 } },
    { name: "far from zero", params: { rows: 64, columns: 64, dims: 5, embed: 10 }, scale: 300 },
    { name: "at zero", params: { rows: 5, columns: 8, dims: 2, embed: 8 }, scale: 0 },
  ].map(({ name, params, scale = 2 }) => ({
    name,
    params,
    inputs: (buffer: string, length: number, random: () => number) =>
      buffer === "q" ? frequencies(params.embed) : Float32Array.from({ length }, () => scale * random()),
  })),
  tolerance: { f32: 3e-7, f16: 3e-7 },
});
