import { attention } from "../../../kernels/network/attention/kernel.js";
import { mpCat } from "../../../kernels/network/mp-cat/kernel.js";
import { mpSilu } from "../../../kernels/network/mp-silu/kernel.js";
import { pixelNorm } from "../../../kernels/network/pixel-norm/kernel.js";
import { resample } from "../../../kernels/network/resample/kernel.js";
import type { Tensor } from "../../graph/graph.js";
import type { Build, Scales } from "../../layers/layers.js";

export interface BlockSpec {
  readonly flavour: "enc" | "dec";
  /** Prefix of its tensors in the checkpoint: `enc.enc.16x16_block0`. */
  readonly key: string;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly mode: "keep" | "down" | "up";
  /** Attention heads; 0: no attention. */
  readonly heads: number;
  readonly resampleFilter: readonly number[];
  readonly resBalance: number;
  readonly attnBalance: number;
  /** null: not clipped. */
  readonly clipAct: number | null;
}

/** An image tensor and its size. */
export interface Feature {
  readonly tensor: Tensor;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** A skip of two encoders: its tensor is to be mixed with another, mp_sum(tensor, other, w[weightIndex]). */
export interface SkipFeature extends Feature {
  readonly mix?: { readonly other: Tensor; readonly w: Tensor; readonly weightIndex: number };
}

/**
 * One block of the EDM2 U-Net (Karras et al. 2024, figure 21; config G), without the linear layer of the embedding: `scales`
 * hold emb_linear(emb) * emb_gain + 1.
 * `skip` is concatenated to the input by mp_cat with weight `concatBalance` (decoder).
 */
export function addBlock(
  build: Build,
  name: string,
  spec: BlockSpec,
  input: Feature,
  scales: Scales,
  skip?: { feature: SkipFeature; concatBalance: number; tapName: string },
): Feature {
  const { graph, batch, layers } = build;
  const { outChannels, key } = spec;
  let { tensor, channels, height, width } = input;
  // mp_silu of the input, where what makes the input makes it, too.
  let activated: Tensor | undefined;

  if (spec.mode !== "keep") {
    const silu = build.merged === true && spec.flavour === "dec" && !skip;
    const params = { batch, channels, height, width, filter: [...spec.resampleFilter], mode: spec.mode, silu };
    height = spec.mode === "up" ? 2 * height : Math.floor(height / 2);
    width = spec.mode === "up" ? 2 * width : Math.floor(width / 2);
    const shape = [batch, channels, height, width];
    const made = graph.run(`${name}.resample`, resample, params, { x: tensor }, { y: shape, s: shape });
    tensor = made.y;
    if (silu) activated = made.s;
  }
  const pixels = height * width;
  const size = { height, width };
  const out = [batch, outChannels, height, width];
  const convSkip = (x: Tensor) => {
    const layer = { ...size, inChannels: channels, outChannels, kernel: 1 as const, weight: `${key}.conv_skip.weight` };
    return layers.conv(build, `${name}.conv_skip`, layer, x);
  };

  // The residual trunk x and s = mp_silu(x), the input of the first convolution.
  let x: Tensor;
  let s: Tensor;
  let inner: number;
  if (spec.flavour === "enc") {
    if (channels !== outChannels) tensor = convSkip(tensor);
    const norm = { batch, channels: outChannels, pixels, silu: true };
    ({ y: x, s } = graph.run(`${name}.pixel_norm`, pixelNorm, norm, { x: tensor }, { y: out, s: out }));
    inner = outChannels;
  } else {
    if (skip) {
      const { channels: channelsB, mix } = skip.feature;
      const cat = [batch, channels + channelsB, height, width];
      const params = {
        ...{ batch, channelsA: channels, channelsB, pixels, t: skip.concatBalance, raw: true, silu: true },
        ...(mix && { mix: { weightIndex: mix.weightIndex, weights: mix.w.length } }),
      };
      const inputs = { a: tensor, b: skip.feature.tensor, other: mix?.other, w: mix?.w };
      ({ y: tensor, s } = graph.run(`${name}.mp_cat`, mpCat, params, inputs, { y: cat, s: cat }));
      channels += channelsB;
      build.tap(skip.tapName, tensor);
    } else {
      const params = { elements: batch * channels * pixels, perImage: channels * pixels, type: "act" as const };
      s = activated ?? graph.run(`${name}.mp_silu`, mpSilu, params, { x: tensor }, { y: tensor.shape }).y;
    }
    inner = channels;
    x = tensor;
  }

  const res0 = { ...size, inChannels: inner, outChannels, kernel: 3 as const, weight: `${key}.conv_res0.weight` };
  let y = layers.convScaled(build, `${name}.conv_res0`, res0, scales, s);
  if (build.wants(`${name}.conv_res0`)) {
    build.tap(`${name}.conv_res0`, layers.conv(build, `${name}.conv_res0.raw`, res0, s));
  }
  if (spec.flavour === "dec" && channels !== outChannels) x = convSkip(x);
  if (channels !== outChannels) build.tap(`${name}.conv_skip`, spec.flavour === "dec" ? x : tensor);

  const sumWith = (layer: string, kernel: 1 | 3, t: number, clip: number | null, trunk: Tensor, branch: Tensor) => {
    const base = { ...size, inChannels: outChannels, outChannels, kernel, weight: `${key}.${layer}.weight` };
    if (build.wants(`${name}.${layer}`))
      build.tap(`${name}.${layer}`, layers.conv(build, `${name}.${layer}.raw`, base, branch));
    return layers.convSummed(build, `${name}.${layer}`, base, { r: trunk, t, clip }, branch);
  };
  x = sumWith("conv_res1", 3, spec.resBalance, spec.heads > 0 ? null : spec.clipAct, x, y);

  if (spec.heads > 0) {
    const layer = { ...size, inChannels: outChannels, outChannels: 3 * outChannels, kernel: 1 as const };
    const qkv = layers.conv(build, `${name}.attn_qkv`, { ...layer, weight: `${key}.attn_qkv.weight` }, x);
    build.tap(`${name}.attn_qkv`, qkv);
    const params = { batch, heads: spec.heads, headDim: outChannels / spec.heads, pixels };
    y = graph.run(`${name}.attention`, attention, params, { qkv }, { y: out }).y;
    build.tap(`${name}.attn_values`, y);
    x = sumWith("attn_proj", 1, spec.attnBalance, spec.clipAct, x, y);
  }
  build.tap(name, x);
  return { tensor: x, channels: outChannels, ...size };
}
