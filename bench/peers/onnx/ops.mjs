/** The operations of network/unet.mjs as ONNX nodes. Maps are [1, C, H, W], vectors [1, C]; values are names in the model. */
const EPS = 1e-4;

/** @param {import("./builder.mjs").ModelBuilder} model */
export function onnxOps(model) {
  const scalar = (value) => model.constant([value], []);
  const scale = (x, factor) => model.node("Mul", [x, scalar(factor)]);
  const add = (a, b) => model.node("Add", [a, b]);
  const reshape = (x, shape) => model.node("Reshape", [x, model.integers(shape)]);
  const transpose = (x, perm) => model.node("Transpose", [x], { perm });
  // ReduceL2 is one pass where the root of a mean of squares would be three.
  const normalise = (x, channels) => {
    const norm = model.node("ReduceL2", [x], { axes: [1], keepdims: 1 });
    return model.node("Div", [x, add(scale(norm, 1 / Math.sqrt(channels)), scalar(EPS))]);
  };
  const channelsOf = new Map();
  const known = (value, channels) => {
    channelsOf.set(value, channels);
    return value;
  };
  const like = (x, value) => known(value, channelsOf.get(x));

  /** q, k, v and the result [heads, headDim, pixels]. ONNX Runtime's fused attention is wrong on some adapters. */
  function attention(q, k, v, { headDim }) {
    const logits = model.node("MatMul", [scale(transpose(q, [0, 2, 1]), 1 / Math.sqrt(headDim)), k]);
    const y = model.node("MatMul", [model.node("Softmax", [logits], { axis: -1 }), transpose(v, [0, 2, 1])]);
    return transpose(y, [0, 2, 1]);
  }

  return {
    /** Declares an input; channels of a map have to be known to `pixelNorm` and `withOnes`. */
    input: (name, shape) => known(model.input(name, shape), shape[1]),
    matrix: (data, shape) => model.constant(data, shape),
    conv(x, { weight, kernel, inChannels, outChannels }) {
      const pad = kernel >> 1;
      const w = model.constant(weight, [outChannels, inChannels, kernel, kernel]);
      const attributes = { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad], strides: [1, 1] };
      return known(model.node("Conv", [x, w], attributes), outChannels);
    },
    /** Of feature networks: with bias and ReLU. */
    conv2d(x, { weight, bias, kernel, stride, padding: [top, left], inChannels, outChannels }) {
      const w = model.constant(weight, [outChannels, inChannels, ...kernel]);
      const attributes = { kernel_shape: [...kernel], pads: [top, left, top, left], strides: [stride, stride] };
      return model.node("Relu", [model.node("Conv", [x, w, model.constant(bias, [outChannels])], attributes)]);
    },
    pool(x, { mode, stride, padding }) {
      const pads = [padding, padding, padding, padding];
      const attributes = { kernel_shape: [3, 3], strides: [stride, stride], pads };
      return model.node(mode === "max" ? "MaxPool" : "AveragePool", [x], attributes);
    },
    concatenate: (maps) => model.node("Concat", maps, { axis: 1 }),
    mean: (x) => model.node("GlobalAveragePool", [x]),
    linear(x, { weight, inChannels, outChannels }) {
      return model.node("Gemm", [x, model.constant(weight, [outChannels, inChannels])], { transB: 1 });
    },
    fourier(noise, freqs, phases) {
      const row = (data) => model.constant(data, [1, data.length]);
      return model.node("Cos", [add(model.node("Mul", [noise, row(freqs)]), row(phases))]);
    },
    matmul: (a, b) => model.node("MatMul", [a, b]),
    // x sigmoid(x) in one node.
    silu: (x) => like(x, model.contrib("QuickGelu", [x], { alpha: { float: 1 } })),
    scale,
    attention,
    pixelNorm: (x) => like(x, normalise(x, channelsOf.get(x))),
    modulate(x, c) {
      const factors = reshape(add(c, scalar(1)), [1, -1, 1, 1]);
      return like(x, model.node("Mul", [x, factors]));
    },
    add: (a, b) => like(a, add(a, b)),
    addScaled: (a, factor, b) => like(a, add(scale(a, factor), b)),
    concat(a, first, b, second) {
      const value = model.node("Concat", [scale(a, first), scale(b, second)], { axis: 1 });
      return known(value, channelsOf.get(a) + channelsOf.get(b));
    },
    withOnes(x, factor, side) {
      const ones = model.constant(new Float32Array(side * side).fill(1), [1, 1, side, side]);
      return known(model.node("Concat", [scale(x, factor), ones], { axis: 1 }), channelsOf.get(x) + 1);
    },
    clip: (x, limit) => like(x, model.node("Clip", [x, scalar(-limit), scalar(limit)])),
    down: (x) => like(x, model.node("AveragePool", [x], { kernel_shape: [2, 2], strides: [2, 2] })),
    up(x) {
      const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
      return like(x, model.node("Resize", [x, "", model.constant([1, 1, 2, 2], [4])], attributes));
    },
    /** Channels of qkv are [q, k, v][head][channel]. */
    selfAttention(qkv, { heads, headDim, side }) {
      const parts = normalise(reshape(qkv, [3 * heads, headDim, side * side]), headDim);
      const sizes = model.integers([heads, heads, heads]);
      const [q, k, v] = model.nodes("Split", [parts, sizes], { axis: 0 }, 3);
      const y = reshape(attention(q, k, v, { headDim }), [1, heads * headDim, side, side]);
      return known(y, heads * headDim);
    },
  };
}
