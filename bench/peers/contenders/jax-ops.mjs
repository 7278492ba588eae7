/**
 * The operations of network/unet.mjs in jax-js. Maps are [N, C, H, W], vectors [1, C]. An operation of jax-js uses up its
 * arguments, so each gets a reference of its own.
 */
const EPS = 1e-4;

export function jaxOps({ numpy: np, lax, nn }) {
  const made = new Map();
  const constant = (data, shape) => {
    if (!made.has(data)) made.set(data, np.array(data, { shape }));
    return made.get(data).ref;
  };
  /** A weight that is known, or one that is computed. */
  const filled = (weight, shape) => (weight instanceof Float32Array ? constant(weight, shape) : weight.ref);
  const silu = (x) => nn.silu(x.ref);
  const scale = (x, factor) => np.multiply(x.ref, factor);
  const normalise = (x, axis) => {
    const norm = np.add(np.sqrt(np.mean(np.square(x.ref), axis, { keepdims: true })), EPS);
    return np.divide(x.ref, norm);
  };
  const transposed = (x) => np.swapaxes(x.ref, -2, -1);
  // Not `einsum`, which needs iterator helpers that Node 20 lacks.
  /** q, k, v and the result [..., heads, headDim, pixels]. */
  const attention = (q, k, v, { headDim }) => {
    const logits = scale(np.matmul(transposed(q), k.ref), 1 / Math.sqrt(headDim));
    return np.matmul(v.ref, np.swapaxes(nn.softmax(logits, -1), -2, -1));
  };

  return {
    matrix: constant,
    conv(x, { weight, kernel, inChannels, outChannels }) {
      const pad = kernel >> 1;
      const filter = filled(weight, [outChannels, inChannels, kernel, kernel]);
      const padding = [
        [pad, pad],
        [pad, pad],
      ];
      return lax.convGeneralDilated(x.ref, filter, [1, 1], padding);
    },
    weigh(w, { factor, gain }) {
      const [, ...row] = w.shape;
      const scale_ = factor / Math.sqrt(row.reduce((a, b) => a * b));
      const unit = scale(
        normalise(
          w,
          row.map((_, i) => i + 1),
        ),
        scale_,
      );
      return gain ? np.multiply(unit, gain.ref) : unit;
    },
    linear: (x, { weight, inChannels, outChannels }) =>
      np.matmul(x.ref, np.swapaxes(filled(weight, [outChannels, inChannels]), 0, 1)),
    fourier: (noise, freqs, phases) =>
      np.cos(np.add(np.multiply(noise.ref, constant(freqs, [1, freqs.length])), constant(phases, [1, phases.length]))),
    matmul: (a, b) => np.matmul(a.ref, b.ref),
    silu,
    scale,
    attention,
    pixelNorm: (x) => normalise(x, 1),
    modulate: (x, c) => np.multiply(x.ref, np.add(c.ref, 1).reshape([1, -1, 1, 1])),
    add: (a, b) => np.add(a.ref, b.ref),
    addScaled: (a, factor, b) => np.add(scale(a, factor), b.ref),
    concat: (a, first, b, second) => np.concatenate([scale(a, first), scale(b, second)], 1),
    withOnes: (x, factor) => np.concatenate([scale(x, factor), np.ones([x.shape[0], 1, ...x.shape.slice(2)])], 1),
    clip: (x, limit) => np.clip(x.ref, -limit, limit),
    down(x) {
      const [n, c, h, w] = x.shape;
      return np.mean(x.ref.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
    },
    up(x) {
      const [n, c, h, w] = x.shape;
      const blocks = np.broadcastTo(x.ref.reshape([n, c, h, 1, w, 1]), [n, c, h, 2, w, 2]);
      return blocks.reshape([n, c, 2 * h, 2 * w]);
    },
    denoisingLoss(d, target, u, weight) {
      const [images] = d.shape;
      const square = np.sum(np.square(np.subtract(d.ref, target.ref)));
      const error = np.multiply(np.exp(np.negative(np.sum(u.ref))), scale(square, weight / images));
      return np.add(error, scale(np.sum(u.ref), d.size / images));
    },
    /** Channels of qkv are [q, k, v][head][channel]. */
    selfAttention(qkv, { heads, headDim, side }) {
      const [images] = qkv.shape;
      const parts = normalise(qkv.ref.reshape([images, 3 * heads, headDim, side * side]), 2);
      const [q, k, v] = np.split(parts, 3, 1);
      return attention(q, k, v, { headDim }).reshape([images, heads * headDim, side, side]);
    },
  };
}
