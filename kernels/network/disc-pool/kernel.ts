import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { catFactors, type DiscPoolParams, reference } from "./reference.js";

/** a [N, A, P], b [N, B, P] act to the mean over the pixels of their mp_cat, y [N, A + B] f32. */
export const discPool = elementwise<DiscPoolParams>({
  name: "disc-pool",
  group: "network",
  source,
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
  cases: [
    { name: "one pixel", params: { batch: 1, channelsA: 1, channelsB: 1, pixels: 1 } },
    { name: "odd sizes", params: { batch: 3, channelsA: 4, channelsB: 5, pixels: 15 } },
    { name: "8x8", params: { batch: 4, channelsA: 128, channelsB: 128, pixels: 64 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
