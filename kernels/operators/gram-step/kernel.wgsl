// Pointwise parts of the exact likelihood step of a linear operator with A A' = c I (or c and 0) on what A' sees:
//
//   x' = x + rho z + A'(M (y - A x) + g A z) = x + rho z + A'(A u + M y),   u = g z - M x
//   M = rho^2 / (s^2 + rho^2 c),   g = -(rho^3 / s^2) / (q (1 + q)),   q = sqrt(1 + rho^2 c / s^2),   level = [s, rho]
//
// With z = 0 it is the posterior's mean; rho z + g A'A z is z times the symmetric root of the covariance. g is (a - rho) / c
// with a = (c / s^2 + 1 / rho^2)^(-1/2), written without the cancellation. INNER: y = u of a = z and b = x; otherwise
// y = a + M b, of a = A u and the measurement b.
struct Params {
  threads: u32,
  eigenvalue: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> level: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let ratio = level[1] / level[0];
  let spread = 1.0 + ratio * ratio * p.eigenvalue;
  let m = ratio * ratio / spread;
  if (INNER) {
    let q = sqrt(spread);
    let g = -(level[1] * ratio * ratio) / (q * (1.0 + q));
    y[i] = g * a[i] - m * b[i];
  } else {
    y[i] = a[i] + m * b[i];
  }
}
