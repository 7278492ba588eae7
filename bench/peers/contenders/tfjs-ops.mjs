/** The operations of network/unet.mjs in TensorFlow.js. Maps are [N, H, W, C], vectors [1, C]. */
const EPS = 1e-4;

export function tfjsOps(tf) {
  const made = new Map();
  /** Uploads a constant once, whatever key stands for it. */
  const constant = (key, make) => {
    if (!made.has(key)) made.set(key, tf.keep(tf.tidy(make)));
    return made.get(key);
  };
  /** Weights are [height, width, in, out] or [in, out]. */
  const fromWeight = (data, shape) => {
    const axes = shape.length === 4 ? [2, 3, 1, 0] : shape.map((_, i) => shape.length - 1 - i);
    return tf.tidy(() => tf.transpose(tf.tensor(data, shape), axes));
  };
  /** A weight that is known, or one that is computed. */
  const known = (weight, shape) =>
    weight instanceof Float32Array ? constant(weight, () => fromWeight(weight, shape)) : weight;
  const normaliseLast = (x) => tf.div(x, tf.add(tf.sqrt(tf.mean(tf.square(x), -1, true)), EPS));

  function softmaxAttention(q, k, v, headDim) {
    const logits = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headDim));
    return tf.matMul(tf.softmax(logits), v);
  }

  const ops = {
    constants: () => [...made.values()],
    /** @param shape [C, H, W] or [N, C, H, W] */
    fromMap: (data, shape) =>
      tf.tidy(() => tf.transpose(tf.tensor(data, shape.length === 3 ? [1, ...shape] : shape), [0, 2, 3, 1])),
    fromWeight,
    toWeight: (w) =>
      tf.tidy(() =>
        tf.transpose(w, w.shape.length === 4 ? [3, 2, 0, 1] : w.shape.map((_, i) => w.shape.length - 1 - i)),
      ),
    matrix: (data, shape) => constant(data, () => tf.tensor(data, shape)),

    conv(x, { weight, kernel, inChannels, outChannels }) {
      return tf.conv2d(x, known(weight, [outChannels, inChannels, kernel, kernel]), 1, "same");
    },
    weigh(w, { factor, gain }) {
      const row = w.shape.slice(0, -1);
      const rows = row.map((_, i) => i);
      const unit = tf.div(w, tf.add(tf.sqrt(tf.mean(tf.square(w), rows, true)), EPS));
      const scale = factor / Math.sqrt(row.reduce((a, b) => a * b));
      return tf.mul(unit, gain ? tf.mul(gain, scale) : scale);
    },
    linear(x, { weight, inChannels, outChannels }) {
      return tf.matMul(x, known(weight, [outChannels, inChannels]));
    },
    fourier(noise, freqs, phases) {
      const row = (data) => constant(data, () => tf.tensor(data, [1, data.length]));
      return tf.cos(tf.add(tf.mul(noise, row(freqs)), row(phases)));
    },
    matmul: (a, b) => tf.matMul(a, b),
    silu: (x) => tf.mul(x, tf.sigmoid(x)),
    scale: (x, factor) => tf.mul(x, factor),
    pixelNorm: normaliseLast,
    modulate: (x, scale) => tf.mul(x, tf.reshape(tf.add(scale, 1), [1, 1, 1, -1])),
    add: (a, b) => tf.add(a, b),
    addScaled: (a, factor, b) => tf.add(tf.mul(a, factor), b),
    concat: (a, first, b, second) => tf.concat([tf.mul(a, first), tf.mul(b, second)], 3),
    withOnes(x, factor) {
      const shape = [...x.shape.slice(0, 3), 1];
      return tf.concat([tf.mul(x, factor), constant(`ones ${shape}`, () => tf.ones(shape))], 3);
    },
    clip: (x, limit) => tf.clipByValue(x, -limit, limit),
    down: (x) => tf.avgPool(x, 2, 2, "valid"),
    up: (x) => tf.image.resizeNearestNeighbor(x, [2 * x.shape[1], 2 * x.shape[2]]),

    denoisingLoss(d, target, u, weight) {
      const [images] = d.shape;
      const square = tf.sum(tf.square(tf.sub(d, target)));
      const one = tf.sum(u);
      return tf.add(tf.mul(tf.mul(tf.exp(tf.neg(one)), weight / images), square), tf.mul(one, d.size / images));
    },

    /** q, k, v and the result [heads, headDim, pixels]. */
    attention(q, k, v, { headDim }) {
      // scores = q^T k; y = v scores^T.
      const logits = tf.mul(tf.matMul(q, k, true, false), 1 / Math.sqrt(headDim));
      return tf.matMul(v, tf.softmax(logits), false, true);
    },
    /** Channels of qkv are [q, k, v][head][channel]. */
    selfAttention(qkv, { heads, headDim, side }) {
      const [images] = qkv.shape;
      const rows = tf.transpose(tf.reshape(qkv, [images, side * side, 3 * heads, headDim]), [0, 2, 1, 3]);
      const [q, k, v] = tf.split(normaliseLast(rows), 3, 1);
      const y = softmaxAttention(q, k, v, headDim);
      return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [images, side, side, heads * headDim]);
    },
  };
  return ops;
}
