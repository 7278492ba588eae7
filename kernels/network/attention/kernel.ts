import { type Caps, grid1d, type Kernel, type Variant } from "../../../src/gpu/contract.js";
import { attentionParams, attentionUniforms } from "../../lib/attention-params.js";
import { addressable, inRange, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type AttentionParams, reference } from "./reference.js";
import { SUBGROUP_CHANNELS, SUBGROUP_QUERIES } from "./sizes.js";

/** Queries of a workgroup of tiled.wgsl. */
const TILED_QUERIES = 32;

/** From this many pixels on a lane of the subgroup loop takes two quads: a fifth faster, but twice as long to compile. */
const WIDE_PIXELS = 128;

/** Channels an invocation of tiled.wgsl sums up: a workgroup covers eight times as many. */
function channelsPerInvocation(headDim: number): number {
  return [2, 4].find((channels) => 8 * channels >= headDim) ?? 8;
}

/** A software adapter whose subgroups are all of 8 lanes. */
function lanesOf8({ software, subgroups, subgroupMinSize, subgroupMaxSize }: Caps): boolean {
  return software && subgroups && subgroupMinSize === 8 && subgroupMaxSize === 8;
}

/** Quads of queries a lane holds in the subgroup loop; 0 where that loop does not fit. */
function subgroupQuads({ headDim, pixels }: AttentionParams, caps: Caps): 0 | 1 | 2 {
  if (!lanesOf8(caps) || headDim > SUBGROUP_CHANNELS) return 0;
  return pixels < WIDE_PIXELS ? 1 : 2;
}

/**
 * On a GPU: quads of queries of a workgroup, keys and channels of an invocation. A small image has few queries in a workgroup
 * and few keys in an invocation, so that there are many of both; of a large one more queries share what is read of the keys.
 */
function fewOf({ headDim, pixels }: AttentionParams) {
  const quads = pixels <= 256 ? 2 : 8;
  const keys = pixels <= 64 ? 2 : 8;
  const slices = 64 / quads;
  const channels = Math.min(quads, Math.ceil(headDim / slices));
  return { quads, keys, channels, channelTiles: Math.ceil(headDim / (slices * channels)) };
}

/** Cosine attention of EDM2: qkv [N, heads * d * 3, P], channel (head * d + c) * 3 + (q, k, v), to y [N, heads * d, P]. */
export const attention: Kernel<AttentionParams> = {
  name: "attention",
  source: [attentionParams, { file: "kernels/network/attention/kernel.wgsl", text: source }],
  check(params) {
    const { batch, heads, headDim, pixels } = params;
    for (const name of ["batch", "heads", "headDim", "pixels"] as const) {
      positiveInteger("attention", name, params[name]);
    }
    inRange("attention", "headDim", headDim, 1, 4096);
    addressable("attention", "qkv", batch, heads, headDim, 3, pixels);
  },
  buffers({ batch, heads, headDim, pixels }) {
    const length = batch * heads * headDim * pixels;
    return [
      { name: "qkv", access: "read", type: "act", length: 3 * length },
      { name: "y", access: "write", type: "act", length },
    ];
  },
  variant(params, caps): Variant {
    const { headDim, pixels } = params;
    const whole = pixels % 4 === 0;
    const wide = subgroupQuads(params, caps);
    if (wide !== 0) {
      const rows = !whole ? "scalar" : caps.precision === "f16" ? "packed" : "vec4";
      const text = async () => (await import("./subgroup.js")).subgroupSource(wide, rows);
      return { key: `subgroup8 x${wide} ${rows}`, prelude: "", text, needs: ["subgroups"] };
    }
    if (!caps.software) {
      const { quads, keys, channels } = fewOf(params);
      const chunk = whole ? 4 : 1;
      const even = headDim % chunk === 0;
      const sizes = Object.entries({ QUADS: quads, CHANNELS: channels, CHUNK: chunk })
        .map(([name, size]) => `const ${name}: u32 = ${size}u;\n`)
        .join("");
      const norms = (64 / quads) * keys > 64 ? 4 : 1;
      return {
        key: `few c${channels}${even ? "" : " odd"} ${quads}x${keys} ${whole ? "vec4" : "scalar"}`,
        prelude: `${sizes}const EVEN: bool = ${even};`,
        text: async () => (await import("./few.js")).fewSource(whole, keys, norms),
      };
    }
    const channels = channelsPerInvocation(headDim);
    const subgroup8 = lanesOf8(caps);
    return {
      key: `tiled c${channels} ${subgroup8 ? "subgroup8" : whole ? "vec4" : "scalar"}`,
      prelude: `const CHANNELS: u32 = ${channels}u;`,
      text: async () => (await import("./tiled.js")).tiledSource(whole, subgroup8),
      ...(subgroup8 ? { needs: ["subgroups"] as const } : {}),
    };
  },
  uniforms: attentionUniforms,
  grid(params, _variant, caps) {
    const { batch, heads, headDim, pixels } = params;
    const wide = subgroupQuads(params, caps);
    if (wide !== 0) return grid1d(batch * heads * Math.ceil(pixels / (wide * SUBGROUP_QUERIES)), 1, caps);
    if (!caps.software) {
      const { quads, channelTiles } = fewOf(params);
      return grid1d(batch * heads * Math.ceil(pixels / (4 * quads)) * channelTiles, 1, caps);
    }
    const channelTiles = Math.ceil(headDim / (8 * channelsPerInvocation(headDim)));
    return grid1d(batch * heads * Math.ceil(pixels / TILED_QUERIES) * channelTiles, 1, caps);
  },
  cost: ({ batch, heads, headDim, pixels }, bytesPerAct) => ({
    flops: batch * heads * pixels * (pixels * (4 * headDim + 4) + 6 * headDim),
    bytes: 4 * bytesPerAct * batch * heads * headDim * pixels,
  }),
  reference,
  cases: [
    { name: "one of everything", params: { batch: 1, heads: 1, headDim: 1, pixels: 1 } },
    { name: "odd sizes", params: { batch: 2, heads: 3, headDim: 5, pixels: 15 } },
    { name: "several tiles, the last not full", params: { batch: 1, heads: 2, headDim: 20, pixels: 71 } },
    { name: "several tiles of whole quads", params: { batch: 3, heads: 1, headDim: 33, pixels: 84 } },
    { name: "many keys, the last not full", params: { batch: 2, heads: 1, headDim: 19, pixels: 141 } },
    { name: "many keys of whole quads", params: { batch: 1, heads: 2, headDim: 12, pixels: 200 } },
    { name: "queries of several workgroups", params: { batch: 2, heads: 1, headDim: 12, pixels: 268 } },
    { name: "a wide head", params: { batch: 1, heads: 1, headDim: 131, pixels: 36 } },
    {
      name: "aligned q and k",
      params: { batch: 1, heads: 1, headDim: 64, pixels: 33 },
      inputs: aligned((value) => value, 1 / 33),
    },
    {
      name: "aligned q and k of a wide head",
      params: { batch: 1, heads: 1, headDim: 256, pixels: 33 },
      inputs: aligned((value) => value, 1 / 33),
    },
    {
      name: "logits of 32 and -32",
      params: { batch: 1, heads: 1, headDim: 1024, pixels: 33 },
      inputs: aligned(Math.sign, 0),
    },
    { name: "tiny and zero values", params: { batch: 1, heads: 2, headDim: 7, pixels: 40 }, inputs: tiny },
    { name: "8 x 8 pixels", params: { batch: 1, heads: 2, headDim: 64, pixels: 64 } },
  ],
  tolerance: { f32: 4e-6, f16: 1e-3 },
};

/** 33 pixels where every query is plus or minus some keys (which grow by `growth`): logits as large as they can be. */
function aligned(direction: (value: number) => number, growth: number) {
  return (_name: string, length: number, random: () => number): Float32Array => {
    const qkv = new Float32Array(length);
    for (let row = 0; row < length / 33; row += 3) {
      const value = direction(random());
      for (let i = 0; i < 33; i++) {
        qkv[row * 33 + i] = i % 3 === 0 ? -value : value;
        qkv[(row + 1) * 33 + i] = (i % 2 === 0 ? value : -value) * (1 + i * growth);
        qkv[(row + 2) * 33 + i] = random();
      }
    }
    return qkv;
  };
}

/** Where the 1e-4 of the norms shows, and where the norm is zero. */
function tiny(_name: string, length: number, random: () => number): Float32Array {
  return Float32Array.from({ length }, (_, i) => (i % 40 < 10 ? 0 : 2e-4 * random()));
}
