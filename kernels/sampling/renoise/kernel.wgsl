// Re-noising between the steps of multi-step NCVSD sampling (Algorithm 2), level = [sigma_i, sigma_next, zeta]:
//
//   xNext = x0 + sigma_next (sqrt(zeta) eps + sqrt(1 - zeta) (xi - x0) / sigma_i)
//
// zeta = 1 is all fresh noise and ignores xi; zeta = 0 is deterministic and ignores eps.
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> xi: array<f32>;
@group(0) @binding(3) var<storage, read> eps: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read_write> xNext: array<f32>;

fn each(i: u32) {
  let zeta = level[2];
  var noise: f32;
  if (zeta == 1.0) {
    noise = eps[i];
  } else {
    noise = (xi[i] - x0[i]) / level[0];
    if (zeta != 0.0) {
      noise = sqrt(zeta) * eps[i] + sqrt(1.0 - zeta) * noise;
    }
  }
  xNext[i] = x0[i] + level[1] * noise;
}
