/**
 * A training step of an EDM2 U-Net (Karras et al. 2024, eq. 14 and 21): its numbers, the same in every process, and its loss, the
 * mean over images, over the operations of unet.mjs and two more:
 * weigh(w, { outChannels, factor, gain }), the effective weight: rows over their root mean square, times factor / sqrt(fan-in) times gain;
 * denoisingLoss(d, target, u, weight), the sum over an image's entries of weight exp(-u) (d - target)^2 + u.
 */
import { normalSource } from "../../../dist/src/graph/run-kernel.js";
import { randomTensors } from "./checkpoint.mjs";
import { regrouped, runUnet, unetLayers } from "./unet.mjs";

/** Adam's settings at its first step. */
export const ADAM = { lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8 };

/** Rows as they are stored in training: of the magnitude that forced normalisation, x / (1e-4 + magnitude), leaves as it is. */
function normalised(values, rows) {
  const row = values.length / rows;
  const out = new Float32Array(values.length);
  for (let at = 0; at < values.length; at += row) {
    const own = values.subarray(at, at + row);
    const scale = (1 - 1e-4) / Math.sqrt(own.reduce((sum, v) => sum + v * v, 0) / row);
    out.set(
      own.map((v) => scale * v),
      at,
    );
  }
  return out;
}

/** Arrays one after the other, times a factor, in an array of the given kind. */
export function joined(arrays, Kind = Float32Array, factor = 1) {
  const out = new Kind(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const each of arrays) {
    out.set(factor === 1 ? each : each.map((v) => factor * v), at);
    at += each.length;
  }
  return out;
}

const isBuffer = (name) => /\.(freqs|phases)$/.test(name);

/** @param sigma noise level of all images @param batch how many there are */
export function trainingStep(config, sigma, batch = 1) {
  const all = randomTensors(config).map(({ name, shape, data }) => ({
    name,
    shape,
    data: name.endsWith(".weight") ? normalised(data, shape[0]) : data,
  }));
  const values = new Map(all.map(({ name, data }) => [name, data]));
  const read = (name) => values.get(name);
  const stored = regrouped(read);
  const shapes = new Map(all.filter(({ name }) => !isBuffer(name)).map(({ name, shape }) => [name, shape]));
  const shape = [batch, config.img_channels, config.img_resolution, config.img_resolution];
  const length = shape.reduce((a, b) => a * b);
  const normal = normalSource(6);
  const image = Float32Array.from({ length }, () => 0.5 * normal());
  const noise = Float32Array.from({ length }, normal);
  const weight = (sigma ** 2 + config.sigma_data ** 2) / (sigma * config.sigma_data) ** 2;
  return {
    config,
    sigma,
    batch,
    /** As a checkpoint has them. */
    checkpoint: values,
    image,
    noise,
    /** Of the parameters, in the order in which gradients are given. */
    shapes,
    /** Parameters, as `loss` takes them. */
    parameters: new Map([...shapes.keys()].map((name) => [name, stored(name)])),
    inputs: {
      image: { shape, data: image },
      noisy: { shape, data: image.map((v, i) => v + sigma * noise[i]) },
      level: { shape: [1, 1], data: new Float32Array([Math.log(sigma) / 4]) },
    },
    /** @param {(name: string) => any} parameter */
    loss(ops, parameter, inputs) {
      const weigh = (name, { gain, ...how }) =>
        ops.weigh(parameter(name), { ...how, gain: gain === undefined ? undefined : parameter(gain) });
      const d = runUnet(ops, unetLayers(config, sigma, { read, weigh }), inputs.noisy, inputs.level);
      const features = ops.fourier(inputs.level, read("logvar_fourier.freqs"), read("logvar_fourier.phases"));
      const how = { outChannels: 1, factor: Math.SQRT2 };
      const head = { weight: weigh("logvar_linear.weight", how), inChannels: config.logvar_channels, outChannels: 1 };
      return ops.denoisingLoss(d, inputs.image, ops.linear(features, head), weight);
    },
    /** Gradients by a checkpoint's names, one after the other as `loss` has its parameters. @param {Map<string, Float32Array>} gradients */
    inOrder(gradients) {
      const read = regrouped((name) => gradients.get(name));
      return joined([...shapes.keys()].map(read));
    },
  };
}
