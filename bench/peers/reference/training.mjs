/** Gradients of a training step in float64: the operations of float64.mjs, each with what it gives back to its arguments. */
import { joined } from "../network/training.mjs";
import { EPS, float64, windows } from "./float64.mjs";

const { matmul } = float64;
const valuesOf = (x) => x.v ?? x;

function transposed(a, rows, columns) {
  const out = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = a[i * columns + j];
  return out;
}

/** The adjoint of `windows`: each pixel gets the sum over the windows that it lies in. */
function pixels({ c, h, w }, g, kernel) {
  const places = windows({ c, h, w, v: Float64Array.from({ length: c * h * w }, (_, i) => i + 1) }, kernel);
  const out = new Float64Array(c * h * w);
  for (let i = 0; i < g.length; i++) if (places[i] > 0) out[places[i] - 1] += g[i];
  return out;
}

/** Of x / (EPS + r) with r the root mean square over `channels` entries that lie `stride` apart. */
function normaliseBack(x, g, channels, stride) {
  const out = new Float64Array(x.length);
  for (let group = 0; group < x.length; group += channels * stride) {
    for (let p = group; p < group + stride; p++) {
      let [square, along] = [0, 0];
      for (let i = p; i < p + channels * stride; i += stride) {
        square += x[i] ** 2;
        along += x[i] * g[i];
      }
      const r = Math.sqrt(square / channels);
      const s = EPS + r;
      for (let i = p; i < p + channels * stride; i += stride) out[i] = (g[i] - (x[i] * along) / (channels * r * s)) / s;
    }
  }
  return out;
}

/** Of one head: q, k, v and g [headDim, pixels]. */
function attentionBack(q, k, v, g, d, n) {
  const scores = matmul(transposed(q, d, n), k, { m: n, k: d, n });
  const weights = new Float64Array(n * n);
  const back = matmul(transposed(g, d, n), v, { m: n, k: d, n });
  for (let at = 0; at < n * n; at += n) {
    const row = scores.subarray(at, at + n).map((s) => Math.exp(s / Math.sqrt(d)));
    const total = row.reduce((a, b) => a + b);
    let mean = 0;
    for (let j = 0; j < n; j++) {
      weights[at + j] = row[j] / total;
      mean += weights[at + j] * back[at + j];
    }
    for (let j = 0; j < n; j++) back[at + j] = (weights[at + j] * (back[at + j] - mean)) / Math.sqrt(d);
  }
  const size = { m: d, k: n, n };
  return [matmul(k, transposed(back, n, n), size), matmul(q, back, size), matmul(g, weights, size)];
}

/** The operations, and `backward`, after which `gradient` has that of any value. */
function differentiable() {
  const gradients = new Map();
  const pulls = [];
  const gradient = (x) => {
    const values = valuesOf(x);
    if (!gradients.has(values)) gradients.set(values, new Float64Array(values.length));
    return gradients.get(values);
  };
  const give = (x, of) => {
    const sum = gradient(x);
    for (let i = 0; i < sum.length; i++) sum[i] += of[i];
  };
  const made = (y, pull) => {
    pulls.push(() => pull(gradient(y)));
    return y;
  };
  const scaled = (g, factor) => g.map((v) => factor * v);
  const asMap = (x, v) => ({ ...x, v });

  const ops = {
    // Neither images nor levels need gradients.
    fourier: float64.fourier,
    withOnes: float64.withOnes,

    weigh(w, { outChannels, factor, gain }) {
      const row = w.length / outChannels;
      const unit = float64.normalise(w, row, 1);
      const scale = factor / Math.sqrt(row);
      const by = gain ? gain[0] : 1;
      return made(scaled(unit, scale * by), (g) => {
        give(w, normaliseBack(w, scaled(g, scale * by), row, 1));
        if (gain) give(gain, [scale * g.reduce((sum, v, i) => sum + v * unit[i], 0)]);
      });
    },
    conv(x, layer) {
      const { weight, kernel, inChannels, outChannels: m } = layer;
      const [k, n] = [inChannels * kernel ** 2, x.h * x.w];
      return made(float64.conv(x, layer), (g) => {
        give(weight, matmul(g, transposed(windows(x, kernel), k, n), { m, k: n, n: k }));
        give(x, pixels(x, matmul(transposed(weight, m, k), g, { m: k, k: m, n }), kernel));
      });
    },
    linear(x, layer) {
      const { weight, inChannels: n, outChannels: m } = layer;
      return made(float64.linear(x, layer), (g) => {
        give(weight, matmul(g, x, { m, k: 1, n }));
        give(x, matmul(transposed(weight, m, n), g, { m: n, k: m, n: 1 }));
      });
    },
    silu: (x) =>
      made(float64.silu(x), (g) => {
        const slope = (v) => {
          const p = 1 / (1 + Math.exp(-v));
          return p + v * p * (1 - p);
        };
        give(
          x,
          valuesOf(x).map((v, i) => g[i] * slope(v)),
        );
      }),
    pixelNorm: (x) => made(float64.pixelNorm(x), (g) => give(x, normaliseBack(x.v, g, x.c, x.h * x.w))),
    modulate(x, scale) {
      const size = x.h * x.w;
      return made(float64.modulate(x, scale), (g) => {
        give(
          x,
          g.map((v, i) => v * (1 + scale[Math.floor(i / size)])),
        );
        const sums = new Float64Array(x.c);
        for (let i = 0; i < g.length; i++) sums[Math.floor(i / size)] += g[i] * x.v[i];
        give(scale, sums);
      });
    },
    add: (a, b) => ops.addScaled(a, 1, b),
    addScaled: (a, factor, b) =>
      made(float64.addScaled(a, factor, b), (g) => {
        give(a, scaled(g, factor));
        give(b, g);
      }),
    concat: (a, first, b, second) =>
      made(float64.concat(a, first, b, second), (g) => {
        give(a, scaled(g.subarray(0, a.v.length), first));
        give(b, scaled(g.subarray(a.v.length), second));
      }),
    clip: (x, limit) =>
      made(float64.clip(x, limit), (g) =>
        give(
          x,
          g.map((v, i) => (Math.abs(x.v[i]) <= limit ? v : 0)),
        ),
      ),
    down(x) {
      const y = float64.down(x);
      return made(y, (g) => give(x, scaled(float64.up(asMap(y, g)).v, 1 / 4)));
    },
    up(x) {
      const y = float64.up(x);
      return made(y, (g) => give(x, scaled(float64.down(asMap(y, g)).v, 4)));
    },
    selfAttention(qkv, shape) {
      const { heads, headDim: d, side } = shape;
      const n = side * side;
      return made(float64.selfAttention(qkv, shape), (g) => {
        const parts = float64.normalise(qkv.v, d, n);
        const back = new Float64Array(parts.length);
        for (let head = 0; head < heads; head++) {
          const at = [0, 1, 2].map((s) => (s * heads + head) * d * n);
          const [q, k, v] = at.map((from) => parts.subarray(from, from + d * n));
          const own = attentionBack(q, k, v, g.subarray(at[0], at[0] + d * n), d, n);
          for (const [s, values] of own.entries()) back.set(values, at[s]);
        }
        give(qkv, normaliseBack(qkv.v, back, d, n));
      });
    },
    denoisingLoss(d, target, u, weight) {
      const scale = weight * Math.exp(-u[0]);
      const errors = d.v.map((v, i) => v - target.v[i]);
      pulls.push(() => {
        give(d, scaled(errors, 2 * scale));
        give(u, [errors.reduce((sum, e) => sum + 1 - scale * e * e, 0)]);
      });
      return errors.reduce((sum, e) => sum + scale * e * e + u[0], 0);
    },
  };
  const backward = () => {
    for (const pull of pulls.reverse()) pull();
  };
  return { ops, backward, gradient };
}

/** Of one image. */
function evaluate({ batch, parameters, inputs, loss }, image) {
  const values = new Map([...parameters].map(([name, data]) => [name, Float64Array.from(data)]));
  const { ops, ...reverse } = differentiable();
  const given = Object.entries(inputs).map(([name, { shape, data }]) => {
    if (shape.length !== 4) return [name, Float64Array.from(data)];
    const [, c, h, w] = shape;
    const length = data.length / batch;
    return [name, { c, h, w, v: Float64Array.from(data.subarray(image * length, (image + 1) * length)) }];
  });
  const value = loss(ops, (name) => values.get(name), Object.fromEntries(given));
  return { value, values, ...reverse };
}

const imagesOf = ({ batch }) => Array.from({ length: batch }, (_, image) => image);

/** The mean over images. @param {ReturnType<typeof import("../network/training.mjs").trainingStep>} step */
export const trainingLoss = (step) =>
  imagesOf(step).reduce((sum, image) => sum + evaluate(step, image).value / step.batch, 0);

/** @returns its gradients of all parameters, one after the other in the order of `shapes` */
export function trainingGradient(step) {
  const means = new Float64Array(joined([...step.parameters.values()]).length);
  for (const image of imagesOf(step)) {
    const { values, backward, gradient } = evaluate(step, image);
    backward();
    const own = joined([...values.values()].map(gradient), Float64Array);
    for (let i = 0; i < own.length; i++) means[i] += own[i] / step.batch;
  }
  return means;
}
