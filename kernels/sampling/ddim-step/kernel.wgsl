// One step of a first-order sampler from an estimate d of E[x0 | x] (Song et al. 2021, eq. 12, in terms of x0 + sigma noise),
// coefficients = [a, b, c], formed by the host in double precision:
//
//   out = a d + b x + c z + h
//
// With a = 1 - q, b = q, q = sqrt(next^2 - c^2) / sigma: DDIM, ancestral sampling, re-noising. With q = next / sigma: an Euler step
// of the probability flow ODE; with q = 2 next / sigma - 1: one of the reverse SDE. c = 0 ignores z. CORRECTED: h is added,
// else there is none.
@group(0) @binding(1) var<storage, read> d: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read> h: array<f32>;
@group(0) @binding(5) var<storage, read> coefficients: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

fn each(i: u32) {
  var value = coefficients[0] * d[i] + coefficients[1] * x[i];
  if (coefficients[2] != 0.0) {
    value += coefficients[2] * z[i];
  }
  if (CORRECTED) {
    value += h[i];
  }
  out[i] = value;
}
