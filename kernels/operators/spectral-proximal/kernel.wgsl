// The posterior draw of a circular convolution in the frequency domain, as what must be added to x:
// likelihood N(y; A x', s^2), prior N(x'; x, rho^2), level = [s, rho], half spectra [planes, frequencies]. With
// the transfer function b of A' and v = 1 / (|b|^2 / s^2 + 1 / rho^2):
//
//   X' = v (b Y / s^2 + X / rho^2) + sqrt(v) Z,   X' - X = v / s^2 b (Y - conj(b) X) + sqrt(v) Z
//
// In the second form nothing cancels at the frequencies that the blur removes.
struct Params {
  threads: u32,
  frequencies: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> measured: array<vec2f>;
@group(0) @binding(3) var<storage, read> z: array<vec2f>;
@group(0) @binding(4) var<storage, read> transfer: array<vec2f>;
@group(0) @binding(5) var<storage, read> level: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let b = transfer[i % p.frequencies];
  let ratio = level[1] / level[0];
  // v = rho^2 / spread, v / s^2 = ratio^2 / spread
  let spread = 1.0 + ratio * ratio * dot(b, b);
  let correction = multiply(b, measured[i] - multiply(vec2f(b.x, -b.y), x[i]));
  y[i] = (ratio * ratio / spread) * correction + (level[1] / sqrt(spread)) * z[i];
}
