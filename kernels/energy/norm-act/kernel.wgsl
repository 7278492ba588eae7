// A unit of DISCO's network between two layers: what the layer in front computed with its bias and the residual, the normalisation
// over the channels of every row (InstanceNorm++ of a 1x1 map: a LayerNorm whose gain is the product of two vectors), leaky ReLU.
//   h = g + bias (+ r),  n = (h - m) / sqrt(mean (h - m)^2 + eps),  y = gamma alpha n + beta,  v = max(y, slope y)
// g, r, h, n, v [channels][columns] f32, a column for each row of the batch; s [columns] = 1 / sqrt(..); w the bank of parameters.
// `DOUBLED`: g has half the channels and stands twice; `LABEL`: r is the second half (kernels/lib/norm-act.ts). One invocation
// owns four neighbouring columns; the variance is that of values less their mean, which loses no digits.
struct Params {
  threads: u32,
  channels: u32,
  half: u32,
  quads: u32,
  bias: u32,
  alpha: u32,
  gamma: u32,
  beta: u32,
  slope: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> n: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> s: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> v: array<vec4f>;

fn value(c: u32, i: u32) -> vec4f {
  let at = c * p.quads + i;
  if (RESIDUAL) {
    return r[at] + (g[at] + w[p.bias + c]);
  }
  if (DOUBLED) {
    let own = select(c, c - p.half, c >= p.half);
    return g[own * p.quads + i] + w[p.bias + own];
  }
  if (LABEL && c >= p.half) {
    return r[at - p.half * p.quads];
  }
  return g[at] + w[p.bias + c];
}

// The same once more: what is stored anyway is read, and otherwise made again, which takes less time than storing it.
fn again(c: u32, i: u32) -> vec4f {
  if (RESIDUAL || DOUBLED || LABEL) {
    return h[c * p.quads + i];
  }
  return value(c, i);
}

fn each(i: u32) {
  // Two sums instead of one: a shorter way for rounding errors to grow. The channels are even.
  var even = vec4f();
  var odd = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    let c = 2u * turn;
    if (c >= p.channels) {
      break;
    }
    let a = value(c, i);
    let b = value(c + 1u, i);
    even += a;
    odd += b;
    if (RESIDUAL || DOUBLED || LABEL) {
      h[c * p.quads + i] = a;
      h[(c + 1u) * p.quads + i] = b;
    }
  }
  let size = f32(p.channels);
  let mean = (even + odd) / size;
  even = vec4f();
  odd = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    let c = 2u * turn;
    if (c >= p.channels) {
      break;
    }
    let a = again(c, i) - mean;
    let b = again(c + 1u, i) - mean;
    even += a * a;
    odd += b * b;
  }
  let inverse = 1.0 / sqrt((even + odd) / size + p.eps);
  if (TAPE) {
    s[i] = inverse;
  }
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let at = c * p.quads + i;
    let normal = (again(c, i) - mean) * inverse;
    let y = w[p.gamma + c] * w[p.alpha + c] * normal + w[p.beta + c];
    v[at] = select(p.slope * y, y, y >= vec4f(0.0));
    if (TAPE) {
      n[at] = normal;
    }
  }
}
