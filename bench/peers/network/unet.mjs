/**
 * The EDM2 U-Net (Karras et al. 2024, config G) once, over an interface of operations that every peer implements, and the
 * float64 reference too. Everything constant is folded into the weights beforehand, as a careful exporter would do it:
 * the normalisation and the gains of the weights, the 1/0.596 of mp_silu, the factors of mp_sum. So `silu` below is plain.
 *
 * Values are single images; which layout they have is the implementation's affair.
 * @typedef {{ weight: Float32Array, inChannels: number, outChannels: number, kernel: number }} Layer
 */

import { foldWeight } from "../../../dist/src/layers/weights.js";
import { blockPlan, expectedTensors } from "../../../dist/src/networks/edm2/names.js";

const SILU = 1 / 0.596;

/** Factors of mp_sum(a, b, t) = first a + second b (EDM2, eq. 88). */
function mpSumFactors(t) {
  const norm = Math.hypot(1 - t, t);
  return { first: (1 - t) / norm, second: t / norm };
}

/** Factors of mp_cat(a, b, t) (EDM2, eq. 103). */
function mpCatFactors(channelsA, channelsB, t) {
  const c = Math.sqrt((channelsA + channelsB) / ((1 - t) ** 2 + t ** 2));
  return { first: (c * (1 - t)) / Math.sqrt(channelsA), second: (c * t) / Math.sqrt(channelsB) };
}

/** Floating point operations of an evaluation: convolutions and the products of attention, as direct sums. */
export function unetFlops(config) {
  const { encoder, decoder } = blockPlan(config);
  let products = config.img_channels * decoder.at(-1).outChannels * 9 * config.img_resolution ** 2;
  for (const { kind, resolution, inChannels, outChannels, heads, convSkip } of [...encoder, ...decoder]) {
    const pixels = resolution ** 2;
    if (kind === "conv") products += 9 * inChannels * outChannels * pixels;
    else products += 9 * ((kind === "enc" ? outChannels : inChannels) + outChannels) * outChannels * pixels;
    if (convSkip) products += inChannels * outChannels * pixels;
    if (heads > 0) products += (4 * outChannels + 2 * pixels) * outChannels * pixels;
  }
  return 2 * products;
}

/** The channels of attn_qkv as [q, k, v][head][channel] in place of [head][channel][q, k, v]. */
function regroupQkv(weight) {
  const channels = Math.sqrt(weight.length / 3);
  const row = channels;
  const out = new Float32Array(weight.length);
  for (let c = 0; c < channels; c++) {
    for (let s = 0; s < 3; s++) {
      const from = (c * 3 + s) * row;
      out.set(weight.subarray(from, from + row), (s * channels + c) * row);
    }
  }
  return out;
}

/** Stored tensors by name, with the channels of attn_qkv as `selfAttention` has them. @param {(name: string) => Float32Array} read */
export function regrouped(read) {
  return (name) => {
    const values = read(name);
    return name.endsWith(".attn_qkv.weight") ? regroupQkv(values) : values;
  };
}

/**
 * All layers with their final weights.
 * @param config @param {(name: string) => Float32Array} read raw tensors by name
 * @param {number} sigma noise level: the scale c_out(sigma) goes into the last layer
 */
export function foldedUnet(config, read, sigma) {
  const stored = regrouped(read);
  const weigh = (name, { outChannels, factor, gain }) =>
    foldWeight(stored(name), outChannels, gain ? factor * read(gain)[0] : factor);
  return unetLayers(config, sigma, { read, weigh });
}

/**
 * All layers, with weights that somebody makes.
 * @param {(name: string) => Float32Array} read Fourier features by name
 * @param {(name: string, how: { outChannels: number, factor: number, gain?: string }) => any} weigh the weight of a layer:
 * normalised rows, times factor, times the stored gain of that name
 */
export function unetLayers(config, sigma, { read, weigh }) {
  const plan = blockPlan(config);
  const shapes = expectedTensors("edm2", config);
  const [res, attn] = [mpSumFactors(config.res_balance), mpSumFactors(config.attn_balance)];
  const layer = (of, factor = 1, gain = undefined) => {
    const name = `unet.${of}.weight`;
    const [outChannels, inChannels, kernel = 1] = shapes.get(name);
    return { weight: weigh(name, { outChannels, factor, gain }), kernel, outChannels, inChannels };
  };
  const block = (part) => (spec) => {
    const { kind, name, convSkip, heads } = spec;
    const at = `${part}.${name}`;
    if (kind === "conv") return { ...spec, conv: layer(at) };
    return {
      ...spec,
      res0: layer(`${at}.conv_res0`, SILU),
      emb: layer(`${at}.emb_linear`, SILU, `unet.${at}.emb_gain`),
      res1: layer(`${at}.conv_res1`, SILU * res.second),
      skip: convSkip ? layer(`${at}.conv_skip`, kind === "dec" ? res.first : 1) : null,
      qkv: heads > 0 ? layer(`${at}.attn_qkv`) : null,
      proj: heads > 0 ? layer(`${at}.attn_proj`, attn.second) : null,
    };
  };
  const data = config.sigma_data;
  const total = sigma ** 2 + data ** 2;
  return {
    config,
    levels: { cIn: 1 / Math.sqrt(total), cSkip: data ** 2 / total },
    factors: { res: res.first, attn: attn.first },
    freqs: read("unet.emb_fourier.freqs"),
    phases: read("unet.emb_fourier.phases"),
    embNoise: layer("emb_noise", Math.SQRT2),
    encoder: plan.encoder.map(block("enc")),
    decoder: plan.decoder.map(block("dec")),
    out: layer("out_conv", (sigma * data) / Math.sqrt(total), "unet.out_gain"),
  };
}

/** D(image; sigma). `noise` is c_noise = ln(sigma) / 4, one number. */
export function runUnet(ops, net, image, noise) {
  const emb = ops.silu(ops.linear(ops.fourier(noise, net.freqs, net.phases), net.embNoise));
  const skips = [];
  let x = ops.withOnes(image, net.levels.cIn, net.config.img_resolution);
  for (const block of net.encoder) {
    x = block.kind === "conv" ? ops.conv(x, block.conv) : runBlock(ops, net, block, x, emb);
    skips.push({ value: x, channels: block.outChannels });
  }
  let channels = net.encoder.at(-1).outChannels;
  for (const block of net.decoder) {
    if (block.takesSkip) {
      const skip = skips[block.skipIndex];
      const { first, second } = mpCatFactors(channels, skip.channels, net.config.concat_balance);
      x = ops.concat(x, first, skip.value, second);
    }
    x = runBlock(ops, net, block, x, emb);
    channels = block.outChannels;
  }
  return ops.addScaled(image, net.levels.cSkip, ops.conv(x, net.out));
}

function runBlock(ops, net, block, input, emb) {
  const { kind, mode, heads, outChannels, resolution } = block;
  const { clip_act: clip } = net.config;
  let x = input;
  if (mode === "down") x = ops.down(x);
  if (mode === "up") x = ops.up(x);
  if (kind === "enc") x = ops.pixelNorm(block.skip ? ops.conv(x, block.skip) : x);
  let y = ops.conv(ops.silu(x), block.res0);
  y = ops.conv(ops.silu(ops.modulate(y, ops.linear(emb, block.emb))), block.res1);
  // A decoder block's conv_skip carries the factor of the sum.
  x = kind === "dec" && block.skip ? ops.add(ops.conv(x, block.skip), y) : ops.addScaled(x, net.factors.res, y);
  if (heads > 0) {
    const shape = { heads, headDim: outChannels / heads, side: resolution };
    y = ops.conv(ops.selfAttention(ops.conv(x, block.qkv), shape), block.proj);
    x = ops.addScaled(x, net.factors.attn, y);
  }
  return clip === null ? x : ops.clip(x, clip);
}
