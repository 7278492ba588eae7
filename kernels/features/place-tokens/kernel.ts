import { read, write } from "../../lib/buffers.js";
import { inRange, nonNegativeInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type PlaceTokensParams, reference } from "./reference.js";

/** Patches x [N, C, P] and table [C, T] to tokens y [N, C, T]. */
export const placeTokens = elementwise<PlaceTokensParams>({
  name: "place-tokens",
  group: "features",
  source,
  counts: ({ images, channels, patches, tokens }) => ({ images, channels, patches, tokens }),
  check({ first, patches, tokens }) {
    nonNegativeInteger("place-tokens", "first", first);
    inRange("place-tokens", "first + patches", first + patches, 1, tokens);
  },
  threads: ({ images, channels, tokens }) => images * channels * tokens,
  buffers: ({ images, channels, patches, tokens }, n) => [
    read("x", images * channels * patches),
    read("table", channels * tokens),
    write("y", n),
  ],
  flops: (_, n) => n,
  reference,
  cases: [
    { name: "one patch, nothing else", params: { images: 1, channels: 1, patches: 1, first: 0, tokens: 1 } },
    { name: "class token and padding", params: { images: 2, channels: 3, patches: 6, first: 1, tokens: 8 } },
    { name: "registers", params: { images: 3, channels: 5, patches: 9, first: 5, tokens: 16 } },
    { name: "a large model's", params: { images: 1, channels: 1024, patches: 256, first: 1, tokens: 260 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
