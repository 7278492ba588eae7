import { uniforms } from "../../src/random/uniforms.js";

/**
 * Inception-v3 of FID and DINOv2 in float64 by plain loops, from the papers' and the published code's description: nothing of
 * the graphs under test. Random weights by the names of the authors' files.
 */

export type Weights = Map<string, { shape: number[]; data: Float32Array }>;

interface Maps {
  channels: number;
  size: [height: number, width: number];
  data: Float64Array;
}

/** Output channels of Inception's convolutions, divided by 16. */
const STEM: [name: string, inputs: number, outputs: number, size: number][] = [
  ["Conv2d_1a_3x3", 3, 2, 3],
  ["Conv2d_2a_3x3", 2, 2, 3],
  ["Conv2d_2b_3x3", 2, 4, 3],
  ["Conv2d_3b_1x1", 4, 5, 1],
  ["Conv2d_4a_3x3", 5, 12, 3],
];

type Conv = (
  name: string,
  x: Maps,
  outputs: number,
  kernel: [number, number],
  stride?: number,
  padded?: boolean,
) => Maps;

/** The network with the given convolution: run with one that draws weights, then with one that uses them. */
function inception(conv: Conv, image: Maps): Maps {
  const max = (x: Maps) => pool(x, "max", 2, 0);
  let x = image;
  for (const [i, [name, , outputs, size]] of STEM.entries()) {
    x = conv(name, x, outputs, [size, size], i === 0 ? 2 : 1, name === "Conv2d_2b_3x3");
    if (i === 2 || i === 4) x = max(x);
  }
  const one: [number, number] = [1, 1];
  const a = (n: string, v: Maps, p: number) =>
    joined([
      conv(`${n}.branch1x1`, v, 4, one),
      conv(`${n}.branch5x5_2`, conv(`${n}.branch5x5_1`, v, 3, one), 4, [5, 5]),
      conv(
        `${n}.branch3x3dbl_3`,
        conv(`${n}.branch3x3dbl_2`, conv(`${n}.branch3x3dbl_1`, v, 4, one), 6, [3, 3]),
        6,
        [3, 3],
      ),
      conv(`${n}.branch_pool`, pool(v, "mean", 1, 1), p, one),
    ]);
  const c = (n: string, v: Maps, t: number) => {
    let s = conv(`${n}.branch7x7_2`, conv(`${n}.branch7x7_1`, v, t, one), t, [1, 7]);
    s = conv(`${n}.branch7x7_3`, s, 12, [7, 1]);
    let d = conv(`${n}.branch7x7dbl_1`, v, t, one);
    d = conv(`${n}.branch7x7dbl_3`, conv(`${n}.branch7x7dbl_2`, d, t, [7, 1]), t, [1, 7]);
    d = conv(`${n}.branch7x7dbl_5`, conv(`${n}.branch7x7dbl_4`, d, t, [7, 1]), 12, [1, 7]);
    const p = conv(`${n}.branch_pool`, pool(v, "mean", 1, 1), 12, one);
    return joined([conv(`${n}.branch1x1`, v, 12, one), s, d, p]);
  };
  const e = (n: string, v: Maps, mode: "mean" | "max") => {
    const s = conv(`${n}.branch3x3_1`, v, 24, one);
    const d = conv(`${n}.branch3x3dbl_2`, conv(`${n}.branch3x3dbl_1`, v, 28, one), 24, [3, 3]);
    return joined([
      conv(`${n}.branch1x1`, v, 20, one),
      conv(`${n}.branch3x3_2a`, s, 24, [1, 3]),
      conv(`${n}.branch3x3_2b`, s, 24, [3, 1]),
      conv(`${n}.branch3x3dbl_3a`, d, 24, [1, 3]),
      conv(`${n}.branch3x3dbl_3b`, d, 24, [3, 1]),
      conv(`${n}.branch_pool`, pool(v, mode, 1, 1), 12, one),
    ]);
  };
  x = a("Mixed_5d", a("Mixed_5c", a("Mixed_5b", x, 2), 4), 4);
  const b = conv("Mixed_6a.branch3x3dbl_2", conv("Mixed_6a.branch3x3dbl_1", x, 4, one), 6, [3, 3]);
  x = joined([
    conv("Mixed_6a.branch3x3", x, 24, [3, 3], 2, false),
    conv("Mixed_6a.branch3x3dbl_3", b, 6, [3, 3], 2, false),
    max(x),
  ]);
  for (const [i, t] of [8, 10, 10, 12].entries()) x = c(`Mixed_6${"bcde"[i]}`, x, t);
  const s = conv("Mixed_7a.branch3x3_1", x, 12, one);
  let d = conv("Mixed_7a.branch7x7x3_2", conv("Mixed_7a.branch7x7x3_1", x, 12, one), 12, [1, 7]);
  d = conv("Mixed_7a.branch7x7x3_3", d, 12, [7, 1]);
  x = joined([
    conv("Mixed_7a.branch3x3_2", s, 20, [3, 3], 2, false),
    conv("Mixed_7a.branch7x7x3_4", d, 12, [3, 3], 2, false),
    max(x),
  ]);
  return e("Mixed_7c", e("Mixed_7b", x, "mean"), "max");
}

/** Of pytorch-fid's file, with 1/16 of the channels. */
export function drawInception(seed: number): Weights {
  const random = uniforms(seed, 0);
  const weights: Weights = new Map();
  const draw = (name: string, shape: number[], low: number, high: number) =>
    weights.set(name, {
      shape,
      data: Float32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, () => low + (high - low) * random()),
    });
  inception(
    (name, x, outputs, kernel) => {
      const shape = [outputs, x.channels, ...kernel];
      const range = Math.sqrt(6 / (x.channels * kernel[0] * kernel[1]));
      draw(`${name}.conv.weight`, shape, -range, range);
      draw(`${name}.bn.weight`, [outputs], 0.7, 1.4);
      draw(`${name}.bn.bias`, [outputs], -0.1, 0.3);
      draw(`${name}.bn.running_mean`, [outputs], -0.2, 0.2);
      draw(`${name}.bn.running_var`, [outputs], 0.4, 1.2);
      return { channels: outputs, size: [1, 1], data: new Float64Array(outputs) };
    },
    { channels: 3, size: [1, 1], data: new Float64Array(3) },
  );
  return weights;
}

/** Features of one picture [3, 299, 299], scaled. */
export function inceptionFeatures(weights: Weights, image: ArrayLike<number>): Float64Array {
  const get = (name: string) => weights.get(name)!.data;
  const conv: Conv = (name, x, outputs, [kh, kw], stride = 1, padded = stride === 1 && name.includes(".")) => {
    const [ph, pw] = padded ? [(kh - 1) / 2, (kw - 1) / 2] : [0, 0];
    const [height, width] = x.size;
    const [oh, ow] = [Math.floor((height + 2 * ph - kh) / stride) + 1, Math.floor((width + 2 * pw - kw) / stride) + 1];
    const data = new Float64Array(outputs * oh * ow);
    const w = get(`${name}.conv.weight`);
    for (let o = 0; o < outputs; o++) {
      const deviation = Math.sqrt(get(`${name}.bn.running_var`)[o]! + 1e-3);
      for (let i = 0; i < x.channels; i++)
        for (let ky = 0; ky < kh; ky++)
          for (let kx = 0; kx < kw; kx++) {
            const factor = w[((o * x.channels + i) * kh + ky) * kw + kx]!;
            for (let row = 0; row < oh; row++) {
              const y = row * stride + ky - ph;
              if (y < 0 || y >= height) continue;
              for (let col = 0; col < ow; col++) {
                const at = col * stride + kx - pw;
                if (at >= 0 && at < width)
                  data[(o * oh + row) * ow + col]! += factor * x.data[(i * height + y) * width + at]!;
              }
            }
          }
      for (let p = o * oh * ow; p < (o + 1) * oh * ow; p++) {
        const normed = (data[p]! - get(`${name}.bn.running_mean`)[o]!) / deviation;
        data[p] = Math.max(0, normed * get(`${name}.bn.weight`)[o]! + get(`${name}.bn.bias`)[o]!);
      }
    }
    return { channels: outputs, size: [oh, ow], data };
  };
  const last = inception(conv, { channels: 3, size: [299, 299], data: Float64Array.from(image) });
  const pixels = last.size[0] * last.size[1];
  return Float64Array.from({ length: last.channels }, (_, c) => {
    let sum = 0;
    for (let p = 0; p < pixels; p++) sum += last.data[c * pixels + p]!;
    return sum / pixels;
  });
}

function pool(
  { channels, size: [height, width], data }: Maps,
  mode: "mean" | "max",
  stride: number,
  pad: number,
): Maps {
  const side = (n: number) => Math.max(1, Math.floor((n + 2 * pad - 3) / stride) + 1);
  const [oh, ow] = [side(height), side(width)];
  const out = new Float64Array(channels * oh * ow);
  for (let i = 0; i < out.length; i++) {
    const [c, row, col] = [Math.floor(i / (oh * ow)), Math.floor(i / ow) % oh, i % ow];
    const inside: number[] = [];
    for (let y = row * stride - pad; y < row * stride - pad + 3; y++)
      for (let x = col * stride - pad; x < col * stride - pad + 3; x++)
        if (y >= 0 && y < height && x >= 0 && x < width) inside.push(data[(c * height + y) * width + x]!);
    out[i] = mode === "max" ? Math.max(...inside) : inside.reduce((s, v) => s + v, 0) / inside.length;
  }
  return { channels, size: [oh, ow], data: out };
}

function joined(parts: Maps[]): Maps {
  const data = Float64Array.from(parts.flatMap((part) => [...part.data]));
  return { channels: parts.reduce((sum, part) => sum + part.channels, 0), size: parts[0]!.size, data };
}

export interface Vit {
  width: number;
  blocks: number;
  heads: number;
  hidden: number;
  gated: boolean;
  registers: number;
  grid: number;
}

/** DINOv2 by the names of the authors' code. */
export function drawDinov2(seed: number, { width: d, blocks, hidden, gated, registers, grid }: Vit): Weights {
  const random = uniforms(seed, 0);
  const weights: Weights = new Map();
  const draw = (name: string, shape: number[], scale: number, middle = 0) =>
    weights.set(name, {
      shape,
      data: Float32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, () => middle + scale * (2 * random() - 1)),
    });
  const linear = (name: string, rows: number, depth: number) => {
    draw(`${name}.weight`, [rows, depth], 1.5 / Math.sqrt(depth));
    draw(`${name}.bias`, [rows], 0.3);
  };
  const norm = (name: string) => {
    draw(`${name}.weight`, [d], 0.4, 1);
    draw(`${name}.bias`, [d], 0.2);
  };
  draw("cls_token", [1, 1, d], 0.5);
  draw("pos_embed", [1, 1 + grid * grid, d], 0.5);
  if (registers > 0) draw("register_tokens", [1, registers, d], 0.5);
  draw("patch_embed.proj.weight", [d, 3, 14, 14], 0.05);
  draw("patch_embed.proj.bias", [d], 0.2);
  for (let i = 0; i < blocks; i++) {
    const name = `blocks.${i}`;
    norm(`${name}.norm1`);
    linear(`${name}.attn.qkv`, 3 * d, d);
    linear(`${name}.attn.proj`, d, d);
    draw(`${name}.ls1.gamma`, [d], 0.3, 0.5);
    norm(`${name}.norm2`);
    linear(`${name}.mlp.${gated ? "w12" : "fc1"}`, gated ? 2 * hidden : hidden, d);
    linear(`${name}.mlp.${gated ? "w3" : "fc2"}`, d, hidden);
    draw(`${name}.ls2.gamma`, [d], 0.3, 0.5);
  }
  norm("norm");
  return weights;
}

/**
 * The class token of one normalised picture.
 * @param positions [1 + rows columns, width]
 */
export function dinov2Features(
  weights: Weights,
  vit: Vit,
  image: ArrayLike<number>,
  [height, width]: [number, number],
  positions: ArrayLike<number>,
): Float64Array {
  const { width: d, heads } = vit;
  const get = (name: string) => weights.get(name)!.data;
  const linear = (name: string, x: number[]) => {
    const [w, b] = [get(`${name}.weight`), get(`${name}.bias`)];
    return Array.from(b, (bias, row) => x.reduce((sum, v, k) => sum + v * w[row * x.length + k]!, bias));
  };
  const norm = (name: string, x: number[]) => {
    const mean = x.reduce((s, v) => s + v, 0) / d;
    const deviation = Math.sqrt(x.reduce((s, v) => s + (v - mean) ** 2, 0) / d + 1e-6);
    return x.map((v, c) => ((v - mean) / deviation) * get(`${name}.weight`)[c]! + get(`${name}.bias`)[c]!);
  };
  const [rows, columns] = [height / 14, width / 14];
  const token = (values: ArrayLike<number>, at: number) => Array.from({ length: d }, (_, c) => values[at * d + c]!);
  const plus = (a: number[], b: number[], factor?: Float32Array) => a.map((v, c) => v + (factor?.[c] ?? 1) * b[c]!);
  let x = [plus(token(get("cls_token"), 0), token(positions, 0))];
  for (let r = 0; r < vit.registers; r++) x.push(token(get("register_tokens"), r));
  const w = get("patch_embed.proj.weight");
  for (let p = 0; p < rows * columns; p++) {
    const embedded = Array.from(get("patch_embed.proj.bias"), (bias, o) => {
      let sum = bias;
      for (let k = 0; k < 3 * 14 * 14; k++) {
        const [c, ky, kx] = [Math.floor(k / 196), Math.floor(k / 14) % 14, k % 14];
        const [y, col] = [Math.floor(p / columns) * 14 + ky, (p % columns) * 14 + kx];
        sum += w[o * 588 + k]! * image[(c * height + y) * width + col]!;
      }
      return sum;
    });
    x.push(plus(embedded, token(positions, 1 + p)));
  }
  for (let i = 0; i < vit.blocks; i++) {
    const name = `blocks.${i}`;
    const qkv = x.map((v) => linear(`${name}.attn.qkv`, norm(`${name}.norm1`, v)));
    const size = d / heads;
    const mixed = qkv.map((query) =>
      Array.from({ length: heads }, (_, h) => {
        const part = (v: number[], which: number) => v.slice(which * d + h * size, which * d + (h + 1) * size);
        const q = part(query, 0);
        const logits = qkv.map((key) => part(key, 1).reduce((s, k, c) => s + k * q[c]!, 0) / Math.sqrt(size));
        const top = Math.max(...logits);
        const shares = logits.map((l) => Math.exp(l - top));
        const total = shares.reduce((s, v) => s + v, 0);
        return Array.from({ length: size }, (_, c) =>
          qkv.reduce((s, value, j) => s + (shares[j]! / total) * part(value, 2)[c]!, 0),
        );
      }).flat(),
    );
    x = x.map((v, t) => plus(v, linear(`${name}.attn.proj`, mixed[t]!), get(`${name}.ls1.gamma`)));
    x = x.map((v) => {
      const wide = linear(`${name}.mlp.${vit.gated ? "w12" : "fc1"}`, norm(`${name}.norm2`, v));
      const inner = vit.gated
        ? wide.slice(0, vit.hidden).map((a, c) => (a / (1 + Math.exp(-a))) * wide[vit.hidden + c]!)
        : wide.map((a) => (a / 2) * (1 + erf(a / Math.SQRT2)));
      return plus(v, linear(`${name}.mlp.${vit.gated ? "w3" : "fc2"}`, inner), get(`${name}.ls2.gamma`));
    });
  }
  return Float64Array.from(norm("norm", x[0]!));
}

/** By Simpson's rule. */
function erf(z: number): number {
  const steps = 200;
  let sum = 1 + Math.exp(-z * z);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * Math.exp(-(((i * z) / steps) ** 2));
  return (2 / Math.sqrt(Math.PI)) * (z / steps / 3) * sum;
}
