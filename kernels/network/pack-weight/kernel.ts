import { fail, multipleOf, oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { pack4 } from "../../lib/packed-weight.js";
import source from "./kernel.wgsl.js";
import quads from "./quads.wgsl.js";
import { type PackWeightParams, packedSize, reference } from "./reference.js";
import tiles from "./tiles.wgsl.js";

const name = "pack-weight";

/** Whether the packed weight is whole tiles of four by four channels, with no padding. */
function tiled({ outChannels, inChannels, taps, transposed, layout, depth }: PackWeightParams): boolean {
  const [rows, entries] = transposed ? [inChannels, outChannels] : [outChannels, inChannels];
  return taps === 1 && entries % 4 === 0 && depth === entries && rows % (layout === "groups" ? 8 : 4) === 0;
}

/** w [outChannels, inChannels, taps] f32, times scale [outChannels] where it is `scaled`, to the packed weight of `conv`, `gemm` or `linear`, transposed or not. */
export const packWeight = elementwise<PackWeightParams>({
  name,
  group: "network",
  source,
  counts: ({ outChannels, inChannels, taps, depth }) => ({ outChannels, inChannels, taps, depth }),
  check({ outChannels, inChannels, taps, transposed, layout, depth }) {
    oneOf(name, "layout", layout, ["groups", "rows"]);
    const entries = (transposed ? outChannels : inChannels) * taps;
    if (depth < entries) fail(name, `depth must be at least the entries of a row, ${entries}`, depth);
    if (layout === "rows") multipleOf(name, "depth", depth, 4);
  },
  threads: (params) => packedSize(params) / (tiled(params) ? 16 : 4),
  buffers: (params) => [
    { name: "w", access: "read", type: "f32", length: params.outChannels * params.inChannels * params.taps },
    { name: "scale", access: "read", type: "f32", length: params.scaled ? params.outChannels : 0 },
    { name: "y", access: "write", type: params.full ? "f32" : "weight", length: packedSize(params) },
  ],
  prelude(params, caps) {
    const stored =
      params.full && caps.precision !== "f32"
        ? "alias P4 = vec4f;\nfn packed(v: vec4f) -> P4 { return v; }\n"
        : `alias P4 = W4;\n${pack4(caps)}fn packed(v: vec4f) -> P4 { return pack4(v); }\n`;
    return stored + (tiled(params) ? tiles : quads);
  },
  uniforms: ({ outChannels, inChannels, taps, depth }) => ({
    out_channels: outChannels,
    in_channels: inChannels,
    taps,
    depth,
  }),
  flags(params) {
    const { transposed, layout, scaled = false, full = false } = params;
    return {
      ...{ TRANSPOSED: transposed, GROUPS: layout === "groups", SCALED: scaled },
      ...{ FULL: full, TILED: tiled(params) },
    };
  },
  flops: (params) => (params.scaled ? packedSize(params) : 0),
  reference,
  cases: [false, true].flatMap((transposed) => [
    {
      name: `one by one${transposed ? ", transposed" : ""}`,
      params: { outChannels: 1, inChannels: 1, taps: 1, transposed, layout: "rows" as const, depth: 4 },
    },
    {
      name: `3x3, odd${transposed ? ", transposed" : ""}`,
      params: {
        outChannels: 11,
        inChannels: 5,
        taps: 9,
        transposed,
        layout: "groups" as const,
        depth: transposed ? 99 : 45,
      },
    },
    {
      name: `1x1, padded depth${transposed ? ", transposed" : ""}`,
      params: {
        outChannels: 13,
        inChannels: 7,
        taps: 1,
        transposed,
        layout: "groups" as const,
        depth: 14,
        scaled: true,
      },
    },
    {
      name: `linear, padded rows${transposed ? ", transposed" : ""}`,
      params: {
        outChannels: 9,
        inChannels: 37,
        taps: 1,
        transposed,
        layout: "rows" as const,
        depth: 40,
        scaled: true,
        full: true,
      },
    },
    {
      name: `1x1, whole tiles${transposed ? ", transposed" : ""}`,
      params: {
        outChannels: 24,
        inChannels: 40,
        taps: 1,
        transposed,
        layout: "groups" as const,
        depth: transposed ? 24 : 40,
        scaled: true,
      },
    },
    {
      name: `linear, whole tiles${transposed ? ", transposed" : ""}`,
      params: {
        outChannels: 12,
        inChannels: 20,
        taps: 1,
        transposed,
        layout: "rows" as const,
        depth: transposed ? 12 : 20,
        scaled: true,
        full: true,
      },
    },
    {
      name: `a layer${transposed ? ", transposed" : ""}`,
      params: { outChannels: 128, inChannels: 128, taps: 9, transposed, layout: "groups" as const, depth: 1152 },
    },
  ]),
  tolerance: { f32: 1e-7, f16: 1e-3 },
});
