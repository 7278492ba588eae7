// The exact likelihood step in the coordinates of a singular value decomposition A = U diag(S) V', [planes, entries] with S
// [entries], less x + rho z: of x and z as V'x and V'z, of the measurement as U'y, level = [s, rho],
//
//   S rho^2 / (s^2 + rho^2 S^2) (U'y - S V'x) + (a - rho) V'z,   a = (S^2 / s^2 + 1 / rho^2)^(-1/2)
//   a - rho = -rho (rho^2 S^2 / s^2) / (q (1 + q)),   q = sqrt(1 + rho^2 S^2 / s^2)
//
// The first factor never exceeds rho / (2 s); in eigenvectors of A A' it would reach rho^2 / s^2.
struct Params {
  threads: u32,
  entries: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read> measured: array<f32>;
@group(0) @binding(4) var<storage, read> values: array<f32>;
@group(0) @binding(5) var<storage, read> level: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let v = values[i % p.entries];
  let ratio = level[1] / level[0];
  let seen = ratio * v;
  let spread = 1.0 + seen * seen;
  let q = sqrt(spread);
  y[i] = ratio * seen / spread * (measured[i] - v * x[i]) - level[1] * seen * seen / (q * (1.0 + q)) * z[i];
}
