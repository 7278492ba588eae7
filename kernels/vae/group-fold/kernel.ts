import { read, write } from "../../lib/buffers.js";
import { multipleOf, positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { GROUP_PIECE, groupPieces } from "../../lib/group-pieces.js";
import source from "./kernel.wgsl.js";
import { type GroupFoldParams, reference } from "./reference.js";

/** Statistics of `group-stats` to affine [N, C, 2]: scale and shift of every channel for `channel-affine`. */
export const groupFold = elementwise<GroupFoldParams>({
  name: "group-fold",
  group: "vae",
  source,
  counts: ({ batch, channels, pixels, groups }) => ({ batch, channels, pixels, groups }),
  check({ channels, groups, eps }) {
    multipleOf("group-fold", "channels", channels, groups);
    positiveNumber("group-fold", "eps", eps);
  },
  threads: ({ batch, channels }) => batch * channels,
  buffers(params) {
    const { batch, channels, groups, bias } = params;
    return [
      read("partials", 2 * batch * groups * groupPieces(params)),
      read("bias", bias ? channels : 0),
      read("gamma", channels),
      read("beta", channels),
      write("affine", 2 * batch * channels),
    ];
  },
  variant: ({ bias }) => ({
    key: bias ? "bias" : "",
    prelude: `const BIAS: bool = ${bias};\nconst PIECE: u32 = ${GROUP_PIECE}u;\n`,
  }),
  uniforms: (p) => ({ length: (p.channels / p.groups) * p.pixels, pieces: groupPieces(p) }),
  flops: (p) => p.batch * p.channels * (9 * groupPieces(p) + 6),
  reference,
  cases: [
    { name: "one channel", params: { batch: 1, channels: 1, pixels: 3, groups: 1, bias: false, eps: 1e-6 } },
    { name: "odd sizes, bias", params: { batch: 3, channels: 15, pixels: 7, groups: 5, bias: true, eps: 1e-6 } },
    {
      name: "several pieces, the last short",
      params: { batch: 2, channels: 6, pixels: 9001, groups: 2, bias: true, eps: 1e-6 },
    },
    {
      name: "no variance: eps keeps it finite",
      params: { batch: 1, channels: 4, pixels: 5, groups: 2, bias: false, eps: 1e-2 },
      inputs: (name: string, length: number) => (name === "partials" ? new Float32Array(length) : undefined),
    },
    { name: "128 channels", params: { batch: 1, channels: 128, pixels: 4096, groups: 32, bias: true, eps: 1e-6 } },
  ].map((test) => ({ inputs: statistics, ...test })),
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

/** Sums of squares are not negative, and as large as the piece. */
function statistics(name: string, length: number, random: () => number): Float32Array | undefined {
  if (name !== "partials") return undefined;
  return Float32Array.from({ length }, (_, i) => (i % 2 ? 5 + Math.abs(random()) : 0.3 * random()));
}
