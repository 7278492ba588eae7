import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, multipleOf, positiveInteger, positiveNumber } from "../../lib/check.js";
import { GROUP_PIECE, groupPieces } from "../../lib/group-pieces.js";
import source from "./kernel.wgsl.js";
import { type GroupFoldParams, reference } from "./reference.js";

/** Statistics of `group-stats` to affine [N, C, 2]: scale and shift of every channel for `channel-affine`. */
export const groupFold: Kernel<GroupFoldParams> = {
  name: "group-fold",
  source: [{ file: "kernels/vae/group-fold/kernel.wgsl", text: source }],
  check(params) {
    for (const name of ["batch", "channels", "pixels", "groups"] as const) {
      positiveInteger("group-fold", name, params[name]);
    }
    multipleOf("group-fold", "channels", params.channels, params.groups);
    positiveNumber("group-fold", "eps", params.eps);
    addressable("group-fold", "affine", params.batch, params.channels, 2);
  },
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
  uniforms(params) {
    const { batch, channels, pixels, groups, eps } = params;
    return { batch, channels, groups, length: (channels / groups) * pixels, pieces: groupPieces(params), eps };
  },
  grid: ({ batch, channels }, _variant, caps) => grid1d(batch * channels, 64, caps),
  cost(params) {
    const { batch, channels, groups } = params;
    const pieces = groupPieces(params);
    return {
      flops: batch * channels * (9 * pieces + 6),
      bytes: 4 * (2 * batch * groups * pieces + 3 * channels + 2 * batch * channels),
    };
  },
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
};

/** Sums of squares are not negative, and as large as the piece. */
function statistics(name: string, length: number, random: () => number): Float32Array | undefined {
  if (name !== "partials") return undefined;
  return Float32Array.from({ length }, (_, i) => (i % 2 ? 5 + Math.abs(random()) : 0.3 * random()));
}
