import { read, write } from "../../lib/buffers.js";
import { POOL_CASES } from "../../lib/disc-pool.js";
import pool from "../../lib/disc-pool.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { catFactors, type DiscPoolParams, reference } from "./reference.js";

/** a [N, A, P], b [N, B, P] act to the mean over the pixels of their mp_cat, y [N, A + B] f32. */
export const discPool = elementwise<DiscPoolParams>({
  name: "disc-pool",
  group: "network",
  source,
  parts: [{ file: "kernels/lib/disc-pool.wgsl", text: pool }],
  counts: ({ batch, channelsA, channelsB, pixels }) => ({ batch, channelsA, channelsB, pixels }),
  threads: ({ batch, channelsA, channelsB }) => batch * (channelsA + channelsB),
  buffers: ({ batch, channelsA, channelsB, pixels }) => [
    read("a", batch * channelsA * pixels, "act"),
    read("b", batch * channelsB * pixels, "act"),
    write("y", batch * (channelsA + channelsB)),
  ],
  uniforms(params) {
    const { a, b } = catFactors(params);
    return { factor_a: a / params.pixels, factor_b: b / params.pixels };
  },
  flops: ({ batch, channelsA, channelsB, pixels }) => batch * (channelsA + channelsB) * (pixels + 1),
  reference,
  cases: POOL_CASES,
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
