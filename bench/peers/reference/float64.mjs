/** The operations in float64 by plain loops. A map is { c, h, w, v }, a vector or matrix a Float64Array. */
export const EPS = 1e-4;

const map = (c, h, w, v = new Float64Array(c * h * w)) => ({ c, h, w, v });
const silu = (x) => x / (1 + Math.exp(-x));

/** The windows of a convolution as a matrix [c * kernel^2, h * w]; zeros outside of the map. */
export function windows({ c, h, w, v }, kernel) {
  if (kernel === 1) return v;
  const out = new Float64Array(c * kernel * kernel * h * w);
  const half = kernel >> 1;
  for (let row = 0; row < c * kernel * kernel; row++) {
    const channel = Math.floor(row / (kernel * kernel));
    const dy = (Math.floor(row / kernel) % kernel) - half;
    const dx = (row % kernel) - half;
    for (let y = Math.max(0, -dy); y < h - Math.max(0, dy); y++) {
      const from = (channel * h + y + dy) * w + dx;
      const [first, end] = [Math.max(0, -dx), w - Math.max(0, dx)];
      out.set(v.subarray(from + first, from + end), (row * h + y) * w + first);
    }
  }
  return out;
}

/** [m, k] times [k, n], four k at a time: much of the time of a run before it measures anything goes into this loop. */
function matmul(a, b, { m, k, n }) {
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    const sums = y.subarray(i * n, (i + 1) * n);
    const whole = k - (k % 4);
    for (let j = 0; j < whole; j += 4) {
      const [a0, a1, a2, a3] = [a[i * k + j], a[i * k + j + 1], a[i * k + j + 2], a[i * k + j + 3]];
      for (let p = 0, at = j * n; p < n; p++, at++) {
        sums[p] += a0 * b[at] + a1 * b[at + n] + a2 * b[at + 2 * n] + a3 * b[at + 3 * n];
      }
    }
    for (let j = whole; j < k; j++) for (let p = 0; p < n; p++) sums[p] += a[i * k + j] * b[j * n + p];
  }
  return y;
}

function conv(x, { weight, kernel, inChannels, outChannels }) {
  const size = { m: outChannels, k: inChannels * kernel * kernel, n: x.h * x.w };
  return map(outChannels, x.h, x.w, matmul(weight, windows(x, kernel), size));
}

/** Divides every vector over `channels` (stride `pixels`) by EPS plus its root mean square. */
function normalise(v, channels, pixels) {
  const y = new Float64Array(v.length);
  for (let group = 0; group < v.length; group += channels * pixels) {
    for (let p = group; p < group + pixels; p++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += v[p + c * pixels] ** 2;
      const norm = EPS + Math.sqrt(sum / channels);
      for (let c = 0; c < channels; c++) y[p + c * pixels] = v[p + c * pixels] / norm;
    }
  }
  return y;
}

/** q, k, v [heads, headDim, pixels] to the same. */
function attention(q, k, v, { heads, headDim, pixels }) {
  const y = new Float64Array(heads * headDim * pixels);
  const logits = new Float64Array(pixels);
  for (let head = 0; head < heads; head++) {
    const at = head * headDim * pixels;
    for (let p = 0; p < pixels; p++) {
      logits.fill(0);
      for (let c = 0; c < headDim; c++) {
        const factor = q[at + c * pixels + p] / Math.sqrt(headDim);
        for (let key = 0; key < pixels; key++) logits[key] += factor * k[at + c * pixels + key];
      }
      const largest = logits.reduce((a, b) => Math.max(a, b));
      const weights = logits.map((logit) => Math.exp(logit - largest));
      const total = weights.reduce((a, b) => a + b);
      for (let c = 0; c < headDim; c++) {
        let sum = 0;
        for (let key = 0; key < pixels; key++) sum += weights[key] * v[at + c * pixels + key];
        y[at + c * pixels + p] = sum / total;
      }
    }
  }
  return y;
}

function down({ c, h, w, v }) {
  const y = map(c, h / 2, w / 2);
  for (let i = 0; i < c * h; i++) {
    for (let j = 0; j < w; j++) {
      const channel = Math.floor(i / h);
      y.v[(channel * (h / 2) + ((i % h) >> 1)) * (w / 2) + (j >> 1)] += v[i * w + j] / 4;
    }
  }
  return y;
}

function up({ c, h, w, v }) {
  const y = map(c, 2 * h, 2 * w);
  for (let i = 0; i < y.v.length; i++) y.v[i] = v[(Math.floor(i / (4 * w)) * w + ((i >> 1) % w)) | 0];
  return y;
}

const withValues = (x, v) => ({ ...x, v });
const values = (x) => x.v ?? x;
const concat = (a, first, b, second) =>
  map(a.c + b.c, a.h, a.w, Float64Array.from([...a.v.map((x) => first * x), ...b.v.map((x) => second * x)]));

export const float64 = {
  conv,
  matmul,
  attention,
  down,
  up,
  concat,
  normalise,
  matrix: (data) => Float64Array.from(data),
  scale: (x, factor) =>
    withValues(
      x,
      x.v.map((v) => v * factor),
    ),
  linear: (x, { weight, inChannels, outChannels }) => matmul(weight, x, { m: outChannels, k: inChannels, n: 1 }),
  fourier: (noise, freqs, phases) => Float64Array.from(freqs, (f, i) => Math.cos(values(noise)[0] * f + phases[i])),
  silu: (x) => (x.v ? withValues(x, x.v.map(silu)) : x.map(silu)),
  pixelNorm: (x) => withValues(x, normalise(x.v, x.c, x.h * x.w)),
  modulate: (x, scale) =>
    withValues(
      x,
      x.v.map((v, i) => v * (1 + scale[Math.floor(i / (x.h * x.w))])),
    ),
  add: (a, b) => float64.addScaled(a, 1, b),
  addScaled: (a, factor, b) =>
    withValues(
      a,
      a.v.map((v, i) => factor * v + b.v[i]),
    ),
  withOnes: (x, factor) => concat(x, factor, map(1, x.h, x.w, new Float64Array(x.h * x.w).fill(1)), 1),
  clip: (x, limit) =>
    withValues(
      x,
      x.v.map((v) => Math.min(limit, Math.max(-limit, v))),
    ),
  selfAttention(qkv, { heads, headDim, side }) {
    const pixels = side * side;
    const part = (s) => qkv.v.subarray((s * qkv.c * pixels) / 3, ((s + 1) * qkv.c * pixels) / 3);
    const [q, k, v] = [0, 1, 2].map((s) => normalise(part(s), headDim, pixels));
    return map(heads * headDim, side, side, attention(q, k, v, { heads, headDim, pixels }));
  },
};
