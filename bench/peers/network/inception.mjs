/** Inception-v3 as the Frechet inception distance uses it, with random weights: one picture [3, 299, 299] to 2048 means. */
import { normalSource } from "../../../dist/src/graph/run-kernel.js";
import { INCEPTION_CONVS, inceptionInputs } from "../../../dist/src/networks/features/inception.js";
import { INCEPTION_WIDTHS } from "./inception-widths.mjs";

export const SIDE = 299;

export const widths = new Map(INCEPTION_CONVS.map(({ name }, i) => [name, INCEPTION_WIDTHS[i]]));
const { inputs, dims } = inceptionInputs(widths);
export const DIMS = dims;

/** `NAME.weight` and `NAME.bias` of every convolution, batch normalisation in them; activations keep their size. */
export function inceptionWeights() {
  const tensors = new Map();
  const random = normalSource(4);
  for (const { name, kernel } of INCEPTION_CONVS) {
    const [rows, depth] = [widths.get(name), inputs.get(name) * kernel[0] * kernel[1]];
    const scale = Math.sqrt(2 / depth);
    tensors.set(
      `${name}.weight`,
      Float32Array.from({ length: rows * depth }, () => scale * random()),
    );
    tensors.set(
      `${name}.bias`,
      Float32Array.from({ length: rows }, () => 0.1 * random()),
    );
  }
  return tensors;
}

/** @param ops conv2d (with bias and ReLU), pool (max or mean of 3x3, what is padded not counted), concatenate, mean */
export function runInception(ops, tensors, picture) {
  if (!ops.conv2d) throw new Error("Inception-v3 is written for ONNX Runtime only");
  const conv = (layer, x) =>
    ops.conv2d(x, {
      ...layer,
      inChannels: inputs.get(layer.name),
      outChannels: widths.get(layer.name),
      weight: tensors.get(`${layer.name}.weight`),
      bias: tensors.get(`${layer.name}.bias`),
    });
  const halved = { mode: "max", stride: 2, padding: 0 };
  const groups = new Map();
  for (const layer of INCEPTION_CONVS) {
    const [block] = layer.name.split(".");
    groups.set(block, [...(groups.get(block) ?? []), layer]);
  }
  let x = picture;
  for (const [block, convs] of groups) {
    if (block.startsWith("Conv2d")) {
      x = conv(convs[0], x);
      if (/_2b_|_4a_/.test(block)) x = ops.pool(x, halved);
      continue;
    }
    const pooling = { mode: block === "Mixed_7c" ? "max" : "mean", stride: 1, padding: 1 };
    const made = new Map();
    const inner = new Set();
    for (const layer of convs) {
      const { from } = layer;
      if (typeof from === "object") inner.add(from.conv);
      const source = from === "input" ? x : from === "pooled" ? ops.pool(x, pooling) : made.get(from.conv);
      made.set(layer.name, conv(layer, source));
    }
    const outputs = [...made].filter(([name]) => !inner.has(name)).map(([, value]) => value);
    if (!convs.some(({ from }) => from === "pooled")) outputs.push(ops.pool(x, halved));
    x = ops.concatenate(outputs);
  }
  return ops.mean(x);
}

/** The operations in float64 on maps { c, h, w, v }. */
export const float64Inception = {
  conv2d({ h, w, v }, { kernel, stride, padding, inChannels, outChannels, weight, bias }) {
    const [oh, ow] = [0, 1].map((i) => Math.floor(([h, w][i] + 2 * padding[i] - kernel[i]) / stride) + 1);
    const out = new Float64Array(outChannels * oh * ow);
    for (let o = 0; o < outChannels; o++) {
      const plane = out.subarray(o * oh * ow, (o + 1) * oh * ow).fill(bias[o]);
      for (let i = 0; i < inChannels; i++)
        for (let ky = 0; ky < kernel[0]; ky++)
          for (let kx = 0; kx < kernel[1]; kx++) {
            const factor = weight[((o * inChannels + i) * kernel[0] + ky) * kernel[1] + kx];
            const first = Math.max(0, Math.ceil((padding[1] - kx) / stride));
            const end = Math.min(ow, Math.floor((w - 1 + padding[1] - kx) / stride) + 1);
            for (let row = 0; row < oh; row++) {
              const y = row * stride + ky - padding[0];
              if (y < 0 || y >= h) continue;
              const at = (i * h + y) * w + kx - padding[1];
              for (let col = first; col < end; col++) plane[row * ow + col] += factor * v[at + col * stride];
            }
          }
      for (let p = 0; p < plane.length; p++) if (plane[p] < 0) plane[p] = 0;
    }
    return { c: outChannels, h: oh, w: ow, v: out };
  },
  pool({ c, h, w, v }, { mode, stride, padding }) {
    const [oh, ow] = [h, w].map((n) => Math.floor((n + 2 * padding - 3) / stride) + 1);
    const out = new Float64Array(c * oh * ow);
    for (let i = 0; i < out.length; i++) {
      const [plane, row, col] = [Math.floor(i / (oh * ow)), Math.floor(i / ow) % oh, i % ow];
      let [sum, top, count] = [0, Number.NEGATIVE_INFINITY, 0];
      for (let y = row * stride - padding; y < row * stride - padding + 3; y++)
        for (let x = col * stride - padding; x < col * stride - padding + 3; x++) {
          if (y < 0 || y >= h || x < 0 || x >= w) continue;
          const value = v[(plane * h + y) * w + x];
          sum += value;
          top = Math.max(top, value);
          count++;
        }
      out[i] = mode === "max" ? top : sum / count;
    }
    return { c, h: oh, w: ow, v: out };
  },
  concatenate(maps) {
    const v = new Float64Array(maps.reduce((sum, map) => sum + map.v.length, 0));
    let at = 0;
    for (const map of maps) {
      v.set(map.v, at);
      at += map.v.length;
    }
    return { ...maps[0], c: maps.reduce((sum, map) => sum + map.c, 0), v };
  },
  mean: ({ c, h, w, v }) =>
    Float64Array.from({ length: c }, (_, i) => {
      let sum = 0;
      for (let p = 0; p < h * w; p++) sum += v[i * h * w + p];
      return sum / (h * w);
    }),
};
