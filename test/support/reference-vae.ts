/** Encoder and decoder of an AutoencoderKL in float64 and plain loops, written from its published description alone. */

export interface Volume {
  readonly data: Float64Array;
  readonly c: number;
  readonly h: number;
  readonly w: number;
}

/** Weights by name, as they are stored. */
export type Weights = ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: ArrayLike<number> }>;

const volume = (c: number, h: number, w: number): Volume => ({ data: new Float64Array(c * h * w), c, h, w });

export function conv(weights: Weights, name: string, x: Volume): Volume {
  const { shape, values } = weights.get(`${name}.weight`)!;
  const bias = weights.get(`${name}.bias`)!.values;
  const [out, inside, k = 1] = shape as [number, number, number?];
  const half = (k - 1) / 2;
  const y = volume(out, x.h, x.w);
  for (let o = 0; o < out; o++) {
    for (let row = 0; row < x.h; row++) {
      for (let col = 0; col < x.w; col++) {
        let sum = bias[o]!;
        for (let dy = 0; dy < k; dy++) {
          for (let dx = 0; dx < k; dx++) {
            const r = row + dy - half;
            const s = col + dx - half;
            if (r < 0 || s < 0 || r >= x.h || s >= x.w) continue;
            for (let i = 0; i < inside; i++) {
              sum += values[((o * inside + i) * k + dy) * k + dx]! * x.data[(i * x.h + r) * x.w + s]!;
            }
          }
        }
        y.data[(o * x.h + row) * x.w + col] = sum;
      }
    }
  }
  return y;
}

export function groupNorm(weights: Weights, name: string, x: Volume): Volume {
  const gamma = weights.get(`${name}.weight`)!.values;
  const beta = weights.get(`${name}.bias`)!.values;
  const y = volume(x.c, x.h, x.w);
  const pixels = x.h * x.w;
  const size = (x.c / 32) * pixels;
  for (let g = 0; g < 32; g++) {
    const part = x.data.subarray(g * size, (g + 1) * size);
    const mean = part.reduce((a, b) => a + b, 0) / size;
    const variance = part.reduce((a, b) => a + (b - mean) ** 2, 0) / size;
    for (let i = g * size; i < (g + 1) * size; i++) {
      const c = Math.floor(i / pixels);
      y.data[i] = ((x.data[i]! - mean) / Math.sqrt(variance + 1e-6)) * gamma[c]! + beta[c]!;
    }
  }
  return y;
}

const silu = (x: Volume): Volume => ({ ...x, data: x.data.map((v) => v / (1 + Math.exp(-v))) });
const add = (a: Volume, b: Volume): Volume => ({ ...a, data: a.data.map((v, i) => v + b.data[i]!) });

function resnet(weights: Weights, name: string, x: Volume): Volume {
  let y = conv(weights, `${name}.conv1`, silu(groupNorm(weights, `${name}.norm1`, x)));
  y = conv(weights, `${name}.conv2`, silu(groupNorm(weights, `${name}.norm2`, y)));
  return add(weights.has(`${name}.conv_shortcut.weight`) ? conv(weights, `${name}.conv_shortcut`, x) : x, y);
}

function attention(weights: Weights, name: string, layers: readonly string[], x: Volume): Volume {
  const normal = groupNorm(weights, `${name}.group_norm`, x);
  const [q, k, v] = layers.slice(0, 3).map((layer) => conv(weights, `${name}.${layer}`, normal)) as [
    Volume,
    Volume,
    Volume,
  ];
  const pixels = x.h * x.w;
  const y = volume(x.c, x.h, x.w);
  for (let i = 0; i < pixels; i++) {
    const logits = Array.from({ length: pixels }, (_, j) => {
      let sum = 0;
      for (let c = 0; c < x.c; c++) sum += q.data[c * pixels + i]! * k.data[c * pixels + j]!;
      return sum / Math.sqrt(x.c);
    });
    const top = Math.max(...logits);
    const terms = logits.map((logit) => Math.exp(logit - top));
    const total = terms.reduce((a, b) => a + b, 0);
    for (let c = 0; c < x.c; c++) {
      for (let j = 0; j < pixels; j++) y.data[c * pixels + i]! += (terms[j]! / total) * v.data[c * pixels + j]!;
    }
  }
  return add(x, conv(weights, `${name}.${layers[3]}`, y));
}

function repeat2(x: Volume): Volume {
  const y = volume(x.c, 2 * x.h, 2 * x.w);
  for (let c = 0; c < x.c; c++) {
    for (let r = 0; r < y.h; r++) {
      for (let s = 0; s < y.w; s++) y.data[(c * y.h + r) * y.w + s] = x.data[(c * x.h + (r >> 1)) * x.w + (s >> 1)]!;
    }
  }
  return y;
}

/** @param layers names of the attention's query, key, value and output layers */
export function decode(weights: Weights, layers: readonly string[], latent: Volume): Volume {
  let x = conv(weights, "decoder.conv_in", conv(weights, "post_quant_conv", latent));
  x = resnet(weights, "decoder.mid_block.resnets.0", x);
  x = attention(weights, "decoder.mid_block.attentions.0", layers, x);
  x = resnet(weights, "decoder.mid_block.resnets.1", x);
  for (let i = 0; weights.has(`decoder.up_blocks.${i}.resnets.0.conv1.weight`); i++) {
    for (let j = 0; weights.has(`decoder.up_blocks.${i}.resnets.${j}.conv1.weight`); j++) {
      x = resnet(weights, `decoder.up_blocks.${i}.resnets.${j}`, x);
    }
    const up = `decoder.up_blocks.${i}.upsamplers.0.conv`;
    if (weights.has(`${up}.weight`)) x = conv(weights, up, repeat2(x));
  }
  return conv(weights, "decoder.conv_out", silu(groupNorm(weights, "decoder.conv_norm_out", x)));
}

/** Stride 2, zeros on the right and below. */
function convDown(weights: Weights, name: string, x: Volume): Volume {
  const { shape, values } = weights.get(`${name}.weight`)!;
  const bias = weights.get(`${name}.bias`)!.values;
  const [out, inside] = shape as [number, number];
  const y = volume(out, x.h / 2, x.w / 2);
  for (let o = 0; o < out; o++) {
    for (let row = 0; row < y.h; row++) {
      for (let col = 0; col < y.w; col++) {
        let sum = bias[o]!;
        for (let i = 0; i < inside; i++) {
          for (let dy = 0; dy < 3; dy++) {
            for (let dx = 0; dx < 3; dx++) {
              const [r, s] = [2 * row + dy, 2 * col + dx];
              if (r < x.h && s < x.w) {
                sum += values[((o * inside + i) * 3 + dy) * 3 + dx]! * x.data[(i * x.h + r) * x.w + s]!;
              }
            }
          }
        }
        y.data[(o * y.h + row) * y.w + col] = sum;
      }
    }
  }
  return y;
}

/** Means and logarithms of variances. */
export function encode(weights: Weights, layers: readonly string[], image: Volume): Volume {
  let x = conv(weights, "encoder.conv_in", image);
  for (let i = 0; weights.has(`encoder.down_blocks.${i}.resnets.0.conv1.weight`); i++) {
    for (let j = 0; weights.has(`encoder.down_blocks.${i}.resnets.${j}.conv1.weight`); j++) {
      x = resnet(weights, `encoder.down_blocks.${i}.resnets.${j}`, x);
    }
    const down = `encoder.down_blocks.${i}.downsamplers.0.conv`;
    if (weights.has(`${down}.weight`)) x = convDown(weights, down, x);
  }
  x = resnet(weights, "encoder.mid_block.resnets.0", x);
  x = attention(weights, "encoder.mid_block.attentions.0", layers, x);
  x = resnet(weights, "encoder.mid_block.resnets.1", x);
  x = conv(weights, "encoder.conv_out", silu(groupNorm(weights, "encoder.conv_norm_out", x)));
  return conv(weights, "quant_conv", x);
}
