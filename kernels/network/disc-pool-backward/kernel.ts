import { read, write } from "../../lib/buffers.js";
import { POOL_CASES } from "../../lib/disc-pool.js";
import pool from "../../lib/disc-pool.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type DiscPoolBackwardParams, reference } from "./reference.js";

/** g [N, A + B] f32 to da [N, A, P] and db [N, B, P] act. */
export const discPoolBackward = elementwise<DiscPoolBackwardParams>({
  name: "disc-pool-backward",
  group: "network",
  source,
  parts: [{ file: "kernels/lib/disc-pool.wgsl", text: pool }],
  counts: ({ batch, channelsA, channelsB, pixels }) => ({ batch, channelsA, channelsB, pixels }),
  threads: ({ batch, channelsA, channelsB, pixels }) => batch * (channelsA + channelsB) * pixels,
  buffers: ({ batch, channelsA, channelsB, pixels }) => [
    read("g", batch * (channelsA + channelsB)),
    write("da", batch * channelsA * pixels, "act"),
    write("db", batch * channelsB * pixels, "act"),
  ],
  uniforms({ channelsA, channelsB, pixels }) {
    const scale = Math.sqrt((channelsA + channelsB) / 2) / pixels;
    return { factor_a: scale / Math.sqrt(channelsA), factor_b: scale / Math.sqrt(channelsB) };
  },
  flops: ({ batch, channelsA, channelsB, pixels }) => batch * (channelsA + channelsB) * pixels,
  reference,
  cases: POOL_CASES,
  tolerance: { f32: 1e-6, f16: 1e-3 },
});
