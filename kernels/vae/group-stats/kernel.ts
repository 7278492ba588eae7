import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, multipleOf, positiveInteger } from "../../lib/check.js";
import { summing } from "../../lib/entry.js";
import { GROUP_PIECE, groupPieces } from "../../lib/group-pieces.js";
import source from "./kernel.wgsl.js";
import { type GroupStatsParams, reference } from "./reference.js";

/** x [N, C, P] (and bias [C]) to the mean and the sum of squared deviations of every piece of every group. */
export const groupStats: Kernel<GroupStatsParams> = {
  name: "group-stats",
  source: [...summing(64), { file: "kernels/vae/group-stats/kernel.wgsl", text: source }],
  check(params) {
    for (const name of ["batch", "channels", "pixels", "groups"] as const) {
      positiveInteger("group-stats", name, params[name]);
    }
    multipleOf("group-stats", "channels", params.channels, params.groups);
    addressable("group-stats", "x", params.batch, params.channels, params.pixels);
  },
  buffers(params) {
    const { batch, channels, pixels, groups, bias } = params;
    return [
      read("x", batch * channels * pixels, "act"),
      read("bias", bias ? channels : 0),
      write("partials", 2 * batch * groups * groupPieces(params)),
    ];
  },
  variant: ({ bias }) => ({
    key: bias ? "bias" : "",
    prelude: `const BIAS: bool = ${bias};\nconst PIECE: u32 = ${GROUP_PIECE}u;\n`,
  }),
  uniforms(params) {
    const { batch, channels, pixels, groups } = params;
    const pieces = groupPieces(params);
    const length = (channels / groups) * pixels;
    return { channels, pixels, groups, length, pieces, workgroups: batch * groups * pieces };
  },
  grid: (params, _variant, caps) => grid1d(params.batch * params.groups * groupPieces(params), 1, caps),
  cost({ batch, channels, pixels }, bytesPerAct) {
    const elements = batch * channels * pixels;
    return { flops: 4 * elements, bytes: bytesPerAct * elements };
  },
  reference,
  cases: [
    { name: "one element", params: { batch: 1, channels: 1, pixels: 1, groups: 1, bias: false } },
    { name: "odd sizes, two images", params: { batch: 2, channels: 6, pixels: 35, groups: 3, bias: false } },
    { name: "bias", params: { batch: 2, channels: 9, pixels: 21, groups: 3, bias: true } },
    { name: "several pieces, the last short", params: { batch: 1, channels: 4, pixels: 9001, groups: 2, bias: true } },
    {
      name: "a mean far from zero",
      params: { batch: 1, channels: 2, pixels: 400, groups: 1, bias: false },
      inputs: (name, length, random) =>
        name === "x" ? Float32Array.from({ length }, () => 100 + random()) : undefined,
    },
    { name: "32 groups of 128 channels", params: { batch: 1, channels: 128, pixels: 256, groups: 32, bias: true } },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
};
