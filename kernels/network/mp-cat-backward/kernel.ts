import { fail, inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf } from "../../lib/lanes.js";
import slope from "../../lib/mp-silu-slope.wgsl.js";
import source from "./kernel.wgsl.js";
import { type MpCatBackwardParams, reference } from "./reference.js";

/** The images of a and b are contiguous: vectors may straddle planes, not images. */
const rows = ({ channelsA, channelsB, pixels }: MpCatBackwardParams) => [channelsA * pixels, channelsB * pixels];

/** Gradient of mp_cat with its mp_silu: y, gy, gs [N, A + B, P] to da [N, A, P] and db [N, B, P]. All act. */
export const mpCatBackward = elementwise<MpCatBackwardParams>({
  name: "mp-cat-backward",
  group: "network",
  source,
  parts: [{ file: "kernels/lib/mp-silu-slope.wgsl", text: slope }],
  counts: ({ batch, channelsA, channelsB, pixels }) => ({ batch, channelsA, channelsB, pixels }),
  check({ t, direct, silu }) {
    inRange("mp-cat-backward", "t", t, 0, 1);
    if (!direct && !silu) fail("mp-cat-backward", "at least one of direct and silu must be true");
  },
  threads: ({ batch, channelsA, channelsB, pixels }) => batch * (channelsA + channelsB) * pixels,
  lanes: (params) => ({ rows: rows(params), storage: "S" }),
  buffers({ batch, channelsA, channelsB, pixels, direct, silu }) {
    const length = batch * (channelsA + channelsB) * pixels;
    return [
      { name: "y", access: "read", type: "act", length: silu ? length : 0 },
      { name: "gy", access: "read", type: "act", length: direct ? length : 0 },
      { name: "gs", access: "read", type: "act", length: silu ? length : 0 },
      { name: "da", access: "write", type: "act", length: batch * channelsA * pixels },
      { name: "db", access: "write", type: "act", length: batch * channelsB * pixels },
    ];
  },
  uniforms(params) {
    const { channelsA, channelsB, t } = params;
    const [a, b] = rows(params) as [number, number];
    const lanes = lanesOf(a, b);
    const scale = Math.sqrt((channelsA + channelsB) / ((1 - t) ** 2 + t ** 2));
    return {
      size_a: a / lanes,
      size_b: b / lanes,
      scale_a: (scale * (1 - t)) / Math.sqrt(channelsA),
      scale_b: (scale * t) / Math.sqrt(channelsB),
    };
  },
  flags: ({ direct, silu }) => ({ DIRECT: direct, SILU: silu }),
  flops: ({ batch, channelsA, channelsB, pixels, silu }) => batch * (channelsA + channelsB) * pixels * (silu ? 13 : 1),
  reference,
  cases: [
    {
      name: "one pixel",
      params: { batch: 1, channelsA: 1, channelsB: 1, pixels: 1, t: 0.5, direct: true, silu: true },
    },
    {
      name: "odd sizes",
      params: { batch: 2, channelsA: 5, channelsB: 11, pixels: 15, t: 0.5, direct: true, silu: false },
    },
    {
      name: "odd sizes, silu alone",
      params: { batch: 3, channelsA: 33, channelsB: 2, pixels: 21, t: 0.3, direct: false, silu: true },
    },
    {
      name: "scalar because of b",
      params: { batch: 2, channelsA: 4, channelsB: 3, pixels: 9, t: 0.5, direct: true, silu: true },
    },
    {
      name: "vectors",
      params: { batch: 3, channelsA: 6, channelsB: 9, pixels: 20, t: 0.7, direct: true, silu: true },
    },
    {
      name: "16x16",
      params: { batch: 2, channelsA: 48, channelsB: 32, pixels: 256, t: 0.5, direct: true, silu: true },
    },
  ],
  tolerance: { f32: 2e-6, f16: 2e-3 },
});
