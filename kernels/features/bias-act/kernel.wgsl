// What follows a linear layer on every token, f32: y = r + act(x + b), without r where there is no residual.
//
//   x, r, y [N, C, P]   b [C]
//
// GELU (Hendrycks & Gimpel 2016) is the exact one, v/2 (1 + erf(v / sqrt 2)). WGSL has no erf: its Taylor series below 1,
// beyond it 1 - t exp(-z^2 + p(t)), t = 1 / (1 + z/2), with the Chebyshev fit of erfc of Numerical Recipes (Press et al.,
// 1.2e-7 relative). Flags: RELU, GELU, RESIDUAL.
struct Params {
  threads: u32,
  channels: u32,
  // Elements of a row, in units of F.
  span: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> r: array<V>;
@group(0) @binding(4) var<storage, read_write> y: array<V>;

// erf(z) for |z| < 1.
fn near(z: f32) -> f32 {
  let s = z * z;
  var q = 1.48071928e-8;
  q = 1.63658447e-7 - s * q;
  q = 1.64621144e-6 - s * q;
  q = 1.49256504e-5 - s * q;
  q = 1.20553330e-4 - s * q;
  q = 8.54832702e-4 - s * q;
  q = 5.22397763e-3 - s * q;
  q = 2.68661706e-2 - s * q;
  q = 1.12837917e-1 - s * q;
  q = 3.76126389e-1 - s * q;
  q = 1.12837917 - s * q;
  return z * q;
}

// 1 - erf(a / sqrt 2) for a >= sqrt 2. exp(-a^2/2) of the first 12 bits of a, whose square is exact, and of what that leaves: a
// rounded exponent of -12 alone would be a relative error of 1e-6.
fn tail(a: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.35355339 * a);
  let head = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
  var q = 0.17087277;
  q = q * t - 0.82215223;
  q = q * t + 1.48851587;
  q = q * t - 1.13520398;
  q = q * t + 0.27886807;
  q = q * t - 0.18628806;
  q = q * t + 0.09678418;
  q = q * t + 0.37409196;
  q = q * t + 1.00002368;
  let rest = 0.5 * (head - a) * (head + a) - 1.26551223 + q * t;
  return t * expFine(max(-0.5 * head * head, -86.0)) * expFine(max(rest, -86.0));
}

fn gelu(v: f32) -> f32 {
  let z = abs(v) * 0.70710678;
  if (z < 1.0) {
    return 0.5 * v * (1.0 + near(v * 0.70710678));
  }
  let beyond = 0.5 * abs(v) * tail(abs(v));
  return max(v, 0.0) - beyond;
}

// Not max(): that may turn a NaN into 0, and nobody would see it.
fn activate(v: f32) -> f32 {
  let finite = (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
  if (RELU && finite) {
    return max(v, 0.0);
  }
  if (GELU && finite) {
    return gelu(v);
  }
  return v;
}

fn each(i: u32) {
  var v = activated(load(x[i]) + b[(i / p.span) % p.channels]);
  if (RESIDUAL) {
    v += load(r[i]);
  }
  y[i] = store(v);
}
