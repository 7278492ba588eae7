// Churn of the second-order sampler (Karras et al. 2022, Algorithm 2): y = x + level[3] z,
// level = [t, next, guidance, churn scale] of the step, churn scale = S_noise sqrt(t^2 - s^2).
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read> level: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  y[i] = x[i] + level[3] * z[i];
}
